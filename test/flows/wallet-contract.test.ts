/** The shapes that existing clients of the wallet daemon know, typed by hand from compat.md, over a real socket. */
import { verify } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { PASSWORD, startProductWallet, type TestWallet, WRONG_PASSWORD } from "../harness/wallet.ts";

/** The known secret key of compat.md, and its public key. */
const SECRET_HEX = "e2c35a46318ec09cf1cc04f06c4ba18bf2cd3f0ed318d986f01228bdbf9fd326";
const PUBLIC_BASE64URL = "TJvH0A9pkk0c3uQMNlCivLs3GR3i1T2TtfIbLT0n29Q";
const PUBLIC_HEX = Buffer.from(PUBLIC_BASE64URL, "base64url").toString("hex");
const SECRET_BASE64 = Buffer.from(SECRET_HEX, "hex").toString("base64");
const MESSAGE = "hello from an existing client";
const MESSAGE_BASE64 = Buffer.from(MESSAGE).toString("base64");

let wallet: TestWallet;
beforeAll(async () => {
  wallet = await startProductWallet();
  const { status } = await wallet.raw.post("/v1/wallets", {
    wallet_id: "known",
    password: PASSWORD,
    metadata: { label: "mine" },
    secret_key: SECRET_BASE64,
  });
  expect(status).toBe(201);
});
afterAll(() => wallet.daemon[Symbol.asyncDispose]());

function holds(signatureBase64: unknown): boolean {
  const key = { format: "jwk", key: { kty: "OKP", crv: "Ed25519", x: PUBLIC_BASE64URL } } as const;
  return verify(null, Buffer.from(MESSAGE), key, Buffer.from(String(signatureBase64), "base64"));
}

describe("REST", () => {
  it("GET /v1/wallets lists id, public key and metadata", async () => {
    const { status, body } = await wallet.raw.get("/v1/wallets");
    expect(status).toBe(200);
    expect(body["items"]).toEqual([
      expect.objectContaining({ wallet_id: "known", public_key: PUBLIC_HEX, metadata: { label: "mine" } }),
    ]);
  });

  it("POST /v1/wallets answers 201 with the wallet, whatever prefix is used", async () => {
    for (const [prefix, wallet_id] of [
      ["/v1", "first"],
      ["/api/v1", "second"],
      ["", "third"],
    ] as const) {
      const body = { wallet_id, password: PASSWORD, metadata: {} };
      const answer = await wallet.raw.post(`${prefix}/wallets`, body);
      expect([answer.status, answer.body]).toEqual([
        201,
        {
          wallet: expect.objectContaining({ wallet_id, public_key: expect.stringMatching(/^[0-9a-f]{64}$/) }),
        },
      ]);
      expect(answer.text).not.toContain(PASSWORD);
    }
    const again = await wallet.raw.post("/v1/wallets", { wallet_id: "first", password: PASSWORD });
    expect(again.status).toBe(409);
  });

  it.each(["short1!A", "alllowercaseletters", "NOLOWERCASE123!!", "NoDigitsHere!!!!", "NoSymbols12345678"])(
    "the weak password %s is a 400 that says why and how long one must be",
    async (password) => {
      const { status, body } = await wallet.raw.post("/v1/wallets", { wallet_id: "weak", password });
      expect([status, body["reason"], body["min_length"], typeof body["message"]]).toEqual([
        400,
        "password_too_weak",
        12,
        "string",
      ]);
      expect((await wallet.raw.get("/v1/wallets/weak")).status).toBe(404);
    },
  );

  it("POST /v1/wallets/{id}/unlock answers that it is unlocked", async () => {
    const { status, body } = await wallet.raw.post("/v1/wallets/known/unlock", { password: PASSWORD });
    expect([status, body["wallet_id"], body["unlocked"]]).toEqual([200, "known", true]);
    expect((await wallet.raw.post("/v1/wallets/known/lock")).body["unlocked"]).toBe(false);
  });

  it("POST /v1/wallets/{id}/sign signs with the password alone", async () => {
    const proof = { password: PASSWORD, message_base64: MESSAGE_BASE64 };
    const { status, body } = await wallet.raw.post("/v1/wallets/known/sign", proof);
    expect([status, body["wallet_id"]]).toEqual([200, "known"]);
    expect(holds(body["signature_base64"])).toBe(true);
  });

  it.each(["unlock", "sign"])("%s with a wrong password is a 401", async (route) => {
    const rest = route === "sign" ? { message_base64: MESSAGE_BASE64 } : {};
    for (const id of ["known", "nobody"]) {
      const { status, body } = await wallet.raw.post(`/v1/wallets/${id}/${route}`, {
        password: WRONG_PASSWORD,
        ...rest,
      });
      expect([status, body["detail"]]).toEqual([401, "invalid credentials"]);
    }
  });

  it("a password route is a 429 after 30 calls within 60 s", async () => {
    const statuses: number[] = [];
    let last: Record<string, unknown> = {};
    for (let call = 0; call < 31; call++) {
      const answer = await wallet.raw.post("/v1/wallets/nobody-at-all/unlock", { password: WRONG_PASSWORD });
      statuses.push(answer.status);
      last = answer.body;
    }
    // One call of the test above counts, too: wallets that are not there share one count.
    expect(statuses.filter((status) => status === 401).length).toBeLessThanOrEqual(30);
    expect([statuses.at(-1), last["detail"]]).toEqual([429, "rate limit exceeded"]);
  });

  it.each(["/v1/receipts/unknown", "/v1/receipts/unknown/history"])("%s is a 404", async (path) => {
    const { status, body } = await wallet.raw.get(path);
    expect([status, body["detail"]]).toEqual([404, "receipt not found"]);
  });
});

describe("JSON-RPC", () => {
  let nextId = 1;
  const rpc = async (method: string, params: unknown): Promise<Record<string, unknown>> => {
    const id = nextId++;
    const { status, body } = await wallet.raw.post("/rpc", { jsonrpc: "2.0", id, method, params });
    expect([status, body["jsonrpc"], body["id"]]).toEqual([200, "2.0", id]);
    return body;
  };

  it("wallet.list, wallet.create, wallet.unlock and wallet.sign answer as the routes do", async () => {
    const created = await rpc("wallet.create", { wallet_id: "rpc", password: PASSWORD, metadata: { a: 1 } });
    expect(created["result"]).toMatchObject({ wallet: { wallet_id: "rpc", metadata: { a: 1 } } });
    const listed = (await rpc("wallet.list", {}))["result"] as { items: { wallet_id: string }[] };
    expect(listed.items.map(({ wallet_id }) => wallet_id)).toContain("rpc");
    const unlocked = await rpc("wallet.unlock", { wallet_id: "rpc", password: PASSWORD });
    expect(unlocked["result"]).toMatchObject({ wallet_id: "rpc", unlocked: true });
    const params = { wallet_id: "known", password: PASSWORD, message: MESSAGE_BASE64 };
    const signed = (await rpc("wallet.sign", params))["result"] as Record<string, unknown>;
    expect(signed["wallet_id"]).toBe("known");
    expect(holds(signed["signature_base64"])).toBe(true);
  });

  it.each([
    [-32602, "wallet.create", { wallet_id: "x" }],
    [-32602, "wallet.create", { wallet_id: "x", password: "weak" }],
    [-32602, "wallet.sign", { wallet_id: "known", password: PASSWORD, message: "not base64!" }],
    [-32602, "wallet.sign", { wallet_id: "known", message: MESSAGE_BASE64 }],
    [-32602, "receipts.verify_latest", {}],
    [-32602, "receipts.verify_latest", ["by position"]],
    [-32004, "receipts.verify_latest", { job_id: "unknown" }],
    [-32004, "receipts.verify_history", { job_id: "unknown" }],
    [-32601, "wallet.export", { wallet_id: "known" }],
    [-32601, "constructor", {}],
  ])("answers %i to %s %j", async (code, method, params) => {
    const { error, result } = await rpc(method, params);
    expect([(error as { code: number }).code, result]).toEqual([code, undefined]);
  });

  it("answers -32001 to a wrong password", async () => {
    const params = { wallet_id: "rpc", password: WRONG_PASSWORD };
    expect((await rpc("wallet.unlock", params))["error"]).toMatchObject({
      code: -32001,
      message: "invalid credentials",
    });
    await rpc("wallet.unlock", { wallet_id: "rpc", password: PASSWORD });
  });

  it("tells of a weak password what REST tells", async () => {
    const { error } = await rpc("wallet.create", { wallet_id: "x", password: "weak" });
    expect(error).toMatchObject({ data: { reason: "password_too_weak", min_length: 12 } });
  });

  it("answers what is no call as JSON-RPC 2.0 §5.1 asks", async () => {
    const broken = await wallet.raw.call("POST", "/rpc", { body: "{" });
    expect([broken.status, broken.body]).toMatchObject([200, { id: null, error: { code: -32700 } }]);
    const list = { jsonrpc: "2.0", method: "wallet.list" };
    for (const body of [1, null, {}, [], { ...list, jsonrpc: "1.0", id: 1 }, { ...list, id: {} }]) {
      const { status, body: reply } = await wallet.raw.call("POST", "/rpc", { body: JSON.stringify(body) });
      expect([status, reply]).toMatchObject([200, { error: { code: -32600 } }]);
    }
  });

  it("answers a batch in order, and what has no id not at all", async () => {
    const list = { jsonrpc: "2.0", method: "wallet.list" };
    const batch = [{ ...list, id: "a" }, list, { ...list, id: 7, method: "no.such" }, 1];
    const { text } = await wallet.raw.post("/rpc", batch);
    expect(JSON.parse(text)).toMatchObject([
      { id: "a", result: { items: expect.any(Array) } },
      { id: 7, error: { code: -32601 } },
      { id: null, error: { code: -32600 } },
    ]);
    const silent = await wallet.raw.post("/rpc", [list, list]);
    expect([silent.status, silent.text]).toEqual([204, ""]);
    expect((await wallet.raw.post("/rpc", list)).status).toBe(204);
  });
});
