/** Who can reach the wallet, and nobody else: every row over a real socket, and nothing of it may be accepted. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { statSync } from "node:fs";
import { connect } from "node:net";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { dataPaths } from "../../src/config/data-paths.ts";
import { MAX_RPC_BATCH } from "../../src/wire/wallet/limits.ts";
import { WALLET_ROUTES } from "../../src/wire/wallet/routes.ts";
import { bootWallet, PASSWORD, type RawAnswer, startWallet, type TestWallet } from "../harness/wallet.ts";

let wallet: TestWallet;
let own: string;
let before: Record<string, number>;
beforeAll(async () => {
  wallet = await startWallet();
  own = new URL(wallet.url).host;
  await wallet.client.createWallet({ wallet_id: "main", password: PASSWORD });
});
afterAll(() => wallet.daemon[Symbol.asyncDispose]());
beforeEach(() => {
  before = wallet.daemon.rowCounts();
});

const CREATE = { wallet_id: "stolen", password: PASSWORD };
const FORM = "application/x-www-form-urlencoded";

/** Requests that a web page, or anybody without the token, can make. Each is good but for what the row names. */
const ATTACKS: readonly [
  name: string,
  status: number,
  headers: Record<string, string>,
  without?: string[],
][] = [
  ["a foreign Host", 403, { host: "evil.example" }],
  ["a name that was made to point here (DNS rebinding)", 403, { host: "rebind.evil.example:8071" }],
  ["a name that only begins like ours", 403, { host: "localhost.evil.example" }],
  ["a name that only ends like ours", 403, { host: "evil-localhost" }],
  ["our name with a dot behind it", 403, { host: "localhost." }],
  ["an address that means this machine, too", 403, { host: "127.1" }],
  ["every address", 403, { host: "0.0.0.0" }],
  ["our name with a user in front", 400, { host: "127.0.0.1@evil.example" }],
  ["a foreign Origin", 403, { origin: "https://evil.example" }],
  ["the Origin of a page without one", 403, { origin: "null" }],
  ["the Origin of another port of this machine", 403, { origin: "http://127.0.0.1:3000" }],
  ["the listener's own Origin", 403, { origin: "http://127.0.0.1:8071" }],
  ["a form post as text/plain", 415, { "content-type": "text/plain" }],
  ["a form post", 415, { "content-type": FORM }],
  ["a form post in parts", 415, { "content-type": "multipart/form-data; boundary=x" }],
  ["a text that only begins like JSON's type", 415, { "content-type": "application/jsonx" }],
  ["JSON's type beside a form's", 415, { "content-type": "text/plain, application/json" }],
  ["no content type", 415, {}, ["content-type"]],
  ["no token", 401, {}, ["authorization"]],
  ["a wrong token", 401, { authorization: `Bearer ${"0".repeat(64)}` }],
  ["an empty token", 401, { authorization: "Bearer " }],
  ["the token in another scheme", 401, { authorization: "Basic TOKEN" }],
  ["the token with something behind it", 401, { authorization: "Bearer TOKEN, Bearer x" }],
  ["the token where API keys stand", 401, { "x-api-key": "TOKEN" }, ["authorization"]],
];

function expectNothingAccepted(answer: RawAnswer, status: number): void {
  expect(answer.status).toBe(status);
  expect(wallet.daemon.rowCounts()).toEqual(before);
  expect(Object.keys(answer.headers).filter((name) => name.startsWith("access-control"))).toEqual([]);
}

describe.each(ATTACKS)("%s", (_name, status, given, without = []) => {
  const headers = (): Record<string, string> => ({
    host: own,
    ...Object.fromEntries(
      Object.entries(given).map(([name, value]) => [name, value.replace("TOKEN", wallet.token)]),
    ),
  });

  it("creates no wallet and signs nothing, over REST and JSON-RPC", async () => {
    for (const [path, body] of [
      ["/v1/wallets", CREATE],
      ["/wallets", CREATE],
      ["/v1/wallets/main/sign", { password: PASSWORD, message_base64: "aGk=" }],
      ["/v1/wallets/main/unlock", { password: PASSWORD }],
      ["/rpc", { jsonrpc: "2.0", id: 1, method: "wallet.create", params: CREATE }],
    ] as const) {
      const answer = await wallet.raw.call("POST", path, { body, headers: headers(), without });
      expectNothingAccepted(answer, status);
      expect(answer.text).not.toContain("stolen");
    }
    expect((await wallet.client.listWallets()).items.map(({ wallet_id }) => wallet_id)).toEqual(["main"]);
    expect(await wallet.client.listSessions()).toEqual([]);
  });

  it("is told nothing by any route, known or not", async () => {
    for (const { method, path } of [...WALLET_ROUTES, { method: "GET" as const, path: "/nowhere" }]) {
      // What only reads has no content type to be wrong.
      if (status === 415 && method === "GET") continue;
      const answer = await wallet.raw.call(method, path, { headers: headers(), without });
      expectNothingAccepted(answer, status);
      expect(answer.text).not.toContain("main");
    }
  });
});

describe("a browser that asks first", () => {
  it("gets no permission: there is no CORS", async () => {
    const headers = {
      host: own,
      origin: "https://evil.example",
      "access-control-request-method": "POST",
      "access-control-request-headers": "authorization,content-type",
    };
    const answer = await wallet.raw.call("OPTIONS", "/v1/wallets", { headers, without: ["authorization"] });
    expectNothingAccepted(answer, 403);
    const { status, headers: told } = await wallet.raw.call("OPTIONS", "/v1/wallets", {
      headers: { host: own },
    });
    expect(status).toBeGreaterThanOrEqual(400);
    expect(Object.keys(told).filter((name) => name.startsWith("access-control"))).toEqual([]);
  });

  it("gets no WebSocket either", async () => {
    const headers = {
      host: own,
      connection: "Upgrade",
      upgrade: "websocket",
      "sec-websocket-version": "13",
      "sec-websocket-key": "AAAAAAAAAAAAAAAAAAAAAA==",
    };
    for (const path of ["/rpc", "/v1/miners/session"]) {
      const { status } = await wallet.raw.call("GET", path, { headers });
      expect(status).toBeGreaterThanOrEqual(400);
    }
  });
});

describe("a flood of JSON-RPC", () => {
  const call = (id: number) => ({
    jsonrpc: "2.0",
    id,
    method: "wallet.create",
    params: { ...CREATE, wallet_id: `flood-${id}` },
  });

  it.each([MAX_RPC_BATCH + 1, 5_000])("in one batch of %i is refused as a whole", async (size) => {
    const { status, body } = await wallet.raw.post(
      "/rpc",
      Array.from({ length: size }, (_, id) => call(id)),
    );
    expect([status, body]).toMatchObject([200, { id: null, error: { code: -32600 } }]);
    expect(wallet.daemon.rowCounts()).toEqual(before);
    expect((await wallet.client.listWallets()).items).toHaveLength(1);
  });

  it("of wrong passwords in batches meets the limit", async () => {
    const params = { wallet_id: "not-there", password: "x" };
    const batch = Array.from({ length: MAX_RPC_BATCH }, (_, id) => ({
      jsonrpc: "2.0",
      id,
      method: "wallet.unlock",
      params,
    }));
    const codes: number[] = [];
    for (let round = 0; round < 3; round++) {
      const { text } = await wallet.raw.post("/rpc", batch);
      const replies = JSON.parse(text) as { error: { code: number } }[];
      codes.push(...replies.map(({ error }) => error.code));
    }
    expect(codes.filter((code) => code === -32001)).toHaveLength(30);
    expect(codes.filter((code) => code === -32005)).toHaveLength(3 * MAX_RPC_BATCH - 30);
  });

  it("larger than a body may be is cut off", async () => {
    const large = `[${"1,".repeat(600_000)}1]`;
    const { status } = await wallet.raw.call("POST", "/rpc", { body: large });
    expect(status).toBe(413);
    const deep = await wallet.raw.call("POST", "/rpc", { body: "[".repeat(100_000) });
    expect([deep.status, deep.body]).toMatchObject([200, { error: { code: -32600 } }]);
  });
});

describe("the listener", () => {
  it("has its routes on no other listener", async () => {
    for (const { method, path } of WALLET_ROUTES) {
      if (path === "/openapi.json") continue;
      const response = await fetch(`${wallet.daemon.url}${path}`, {
        method,
        headers: { authorization: `Bearer ${wallet.token}`, "content-type": "application/json" },
        ...(method !== "GET" && { body: "{}" }),
      });
      expect([method, path, response.status]).toEqual([method, path, 404]);
    }
  });

  it("serves every route that is declared, and no route of the public one", async () => {
    const declared = WALLET_ROUTES.map(({ method, path }) => `${method} ${path}`).sort();
    const served = (await wallet.raw.get("/openapi.json")).body["paths"] as Record<string, object>;
    const told = Object.entries(served).flatMap(([path, item]) =>
      Object.keys(item).map((method) => `${method.toUpperCase()} ${path.replaceAll(/\{(\w+)\}/g, ":$1")}`),
    );
    expect(told.sort()).toEqual(declared);
    for (const path of ["/metrics", "/v1/health", "/docs", "/v1/jobs", "/readyz"]) {
      expect((await wallet.raw.get(path)).status).toBe(404);
    }
  });

  it("listens on loopback alone, and its token is its owner's alone", async () => {
    expect(new URL(wallet.url).hostname).toBe("127.0.0.1");
    expect(statSync(dataPaths(wallet.daemon.dataDir).walletToken).mode & 0o777).toBe(0o600);
    expect(wallet.token).toMatch(/^[0-9a-f]{64}$/);
  });

  it("answers under each of its names, through a tunnel's port too, and with JSON's type in any case", async () => {
    for (const host of ["127.0.0.1", "localhost", "LOCALHOST:9999", "[::1]:8071"]) {
      const headers = { host, "content-type": "Application/JSON; charset=utf-8" };
      const { status } = await wallet.raw.call("POST", "/v1/lock", { headers, body: {} });
      expect(status).toBe(200);
    }
  });

  it.each([
    ["names another host in the request line", "GET http://127.0.0.1/v1/wallets HTTP/1.1", "evil.example"],
    ["names no host", "GET /v1/wallets HTTP/1.1", ""],
    ["has no Host at all", "GET /v1/wallets HTTP/1.0", undefined],
  ])("is not fooled by what %s", async (_what, line, host) => {
    const { hostname, port } = new URL(wallet.url);
    const socket = connect(Number(port), hostname);
    const hostLine = host === undefined ? "" : `Host: ${host}\r\n`;
    socket.end(`${line}\r\n${hostLine}Authorization: Bearer ${wallet.token}\r\nConnection: close\r\n\r\n`);
    let text = "";
    socket.on("data", (part: Buffer) => {
      text += part.toString();
    });
    await once(socket, "close");
    expect(text).toMatch(/^HTTP\/1\.1 40[03] /);
    expect(text).not.toContain("main");
  });
});

describe("what the configuration allows besides", () => {
  it("is let in, and nothing else", async () => {
    const settings = {
      "wallet.allowed_hosts": "wallet.internal",
      "wallet.allowed_origins": "https://console.example",
    };
    const { raw } = await bootWallet({ settings });
    const from = (host: string, origin: string) =>
      raw.call("GET", "/v1/wallets", { headers: { host, origin } });
    expect((await from("wallet.internal", "https://console.example")).status).toBe(200);
    expect((await from("wallet.internal", "https://evil.example")).status).toBe(403);
    expect((await from("127.0.0.1", "https://console.example")).status).toBe(403);
  });
});

/** Leaves a socket in the file system that nobody listens on, as a killed process does. */
async function leaveSocket(path: string): Promise<void> {
  const script = `require("net").createServer().listen(process.argv[1], () => process.kill(process.pid, "SIGKILL"))`;
  await once(spawn(process.execPath, ["-e", script, path]), "exit");
  expect(statSync(path).isSocket()).toBe(true);
}

describe("a unix socket", () => {
  it("serves the same, to its owner alone, with the same checks; one that a killed process left is replaced", async () => {
    const first = await bootWallet({ settings: { "wallet.socket": "w.sock" } });
    const path = first.url.slice("unix:".length);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(await first.client.listSessions()).toEqual([]);
    for (const headers of [{ host: "evil.example" }, { authorization: "Bearer x" }]) {
      expect((await first.raw.call("GET", "/v1/wallets", { headers })).status).toBeGreaterThanOrEqual(401);
    }
    expect((await first.raw.get("/v1/wallets")).status).toBe(200);
    const second = startWallet({ settings: { "wallet.socket": path } });
    await expect(second).rejects.toThrow(`cannot listen: ${path}: another process listens there`);
    await first.daemon.daemon.stop();
    await leaveSocket(path);
    const third = await bootWallet({ settings: { "wallet.socket": path } });
    expect((await third.raw.get("/v1/wallets")).status).toBe(200);
  });
});
