/** The wallet's listener in a process of its own: every route, and what no signal and no restart opens. */
import { once } from "node:events";
import { readFileSync, statSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import Sqlite from "better-sqlite3";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { FREE_FAILURES, waitAfterFailures } from "../../src/roles/wallet/sessions/backoff.ts";
import { Sandbox, type Served } from "../harness/process.ts";
import type { RouteName } from "../harness/process-calls.ts";
import { childrenOf, gone } from "../harness/process-table.ts";
import { PASSWORD, type RawAnswer, RawCaller, WRONG_PASSWORD } from "../harness/wallet.ts";

/** Where Node's inspector listens unless it is told otherwise. */
const INSPECTOR_PORT = 9229;
const MESSAGE = { message_base64: Buffer.from("hello").toString("base64") };
const ENV = { AITBC_WALLET__PORT: "0", AITBC_WALLET__RECEIPT_POLL_SECONDS: "1" };
const path = { wallet_id: "main" };

/** A wallet that `aitbc serve` runs, called route by route as its OpenAPI document names them. */
class WalletProcess {
  readonly served: Served;
  readonly url: string;
  readonly raw: RawCaller;

  private constructor(served: Served, url: string, token: string) {
    this.served = served;
    this.url = url;
    this.raw = new RawCaller(url, token);
  }

  static async start(machine: Sandbox, roles = "wallet", env = {}): Promise<WalletProcess> {
    const served = await machine.serve(["--roles", roles], { env: { ...ENV, ...env } });
    const [, url = ""] = await served.process.match(/"wallet":"([^"]+)"/);
    const token = readFileSync(join(machine.dataDir, "wallet/token.key"), "utf8").trim();
    return new WalletProcess(served, url, token);
  }

  call(
    route: RouteName,
    {
      values = {},
      query = "",
      body,
    }: { values?: Record<string, string>; query?: string; body?: unknown } = {},
  ): Promise<RawAnswer> {
    const [method = "", pattern = ""] = route.split(" ");
    const filled = pattern.replaceAll(/\{(\w+)\}/g, (_all, name: string) => values[name] ?? "missing");
    const isReading = method === "GET";
    return this.raw.call(method, filled + query, { body: isReading ? undefined : (body ?? {}) });
  }
}

async function listens(port: number): Promise<boolean> {
  const socket = connect({ host: "127.0.0.1", port });
  try {
    await once(socket, "connect");
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}

let machine: Sandbox;
let wallet: WalletProcess;
beforeAll(async () => {
  machine = new Sandbox();
  wallet = await WalletProcess.start(machine, "coordinator,miner,wallet");
  const body = { wallet_id: "main", password: PASSWORD };
  expect((await wallet.call("POST /v1/wallets", { body })).status).toBe(201);
});
afterAll(() => machine[Symbol.asyncDispose]());

describe("the wallet's listener", () => {
  it("has wallets: listed, found, unlocked, used, locked", async () => {
    expect((await wallet.call("GET /v1/wallets")).body["items"]).toMatchObject([{ wallet_id: "main" }]);
    expect((await wallet.call("GET /v1/wallets/{wallet_id}", { values: path })).body).toMatchObject({
      wallet: { unlocked: false },
    });
    const opened = await wallet.call("POST /v1/wallets/{wallet_id}/unlock", {
      values: path,
      body: { password: PASSWORD },
    });
    expect(opened.body).toMatchObject({ wallet_id: "main", unlocked: true });
    const { session_token } = opened.body as { session_token: string };
    const signed = await wallet.call("POST /v1/wallets/{wallet_id}/sign", {
      values: path,
      body: { session_token, ...MESSAGE },
    });
    expect([signed.status, String(signed.body["signature_base64"]).length]).toEqual([200, 88]);
    const document = await wallet.call("POST /v1/wallets/{wallet_id}/sign-document", {
      values: path,
      body: { session_token, realm: "0".repeat(64), document: { memo: "hi" } },
    });
    expect(document.status).toBe(200);
    expect(document.body["signature_base64"]).not.toBe(signed.body["signature_base64"]);
    const locked = await wallet.call("POST /v1/wallets/{wallet_id}/lock", { values: path });
    expect(locked.body).toEqual({ wallet_id: "main", unlocked: false });
  });

  it("has sessions: listed, ended, all ended", async () => {
    const unlock = () =>
      wallet.call("POST /v1/wallets/{wallet_id}/unlock", { values: path, body: { password: PASSWORD } });
    await unlock();
    const { items } = (await wallet.call("GET /v1/sessions")).body as { items: { session_id: string }[] };
    expect(items).toHaveLength(1);
    const [{ session_id } = { session_id: "" }] = items;
    const ended = await wallet.call("DELETE /v1/sessions/{session_id}", { values: { session_id } });
    expect(ended.body).toMatchObject({ session_id, wallet_id: "main" });
    await unlock();
    expect((await wallet.call("POST /v1/lock")).body).toEqual({ locked: ["main"] });
    expect((await wallet.call("GET /v1/sessions")).body).toEqual({ items: [] });
  });

  it("has receipts, with what they are worth, and the history of both", async () => {
    const client = wallet.served.client();
    const { job_id } = await client.submitJob({ payload: { type: "inference", prompt: "What is 37 + 45?" } });
    await client.waitForJob(job_id);
    const values = { job_id };
    const latest = await wallet.call("GET /v1/receipts/{job_id}", { values });
    expect(latest.body).toMatchObject({ result: { job_id, all_valid: true } });
    const history = await wallet.call("GET /v1/receipts/{job_id}/history", { values, query: "?limit=1" });
    expect(history.body).toMatchObject({ items: [{ job_id }], status: { all_verified: true } });
    const listed = await wallet.call("GET /v1/receipts", { query: "?failed=false" });
    expect(listed.body["items"]).toMatchObject([{ job_id, all_verified: true }]);
    const events = (await wallet.call("GET /v1/events", { query: "?limit=200" })).body as {
      items: { event: string }[];
    };
    expect(events.items.map(({ event }) => event)).toEqual(
      expect.arrayContaining(["wallet.created", "wallet.unlocked", "wallet.locked", "receipts.verified"]),
    );
    const log = (await wallet.call("GET /v1/access-log", { query: "?limit=200" })).body as {
      items: { operation: string }[];
    };
    expect(log.items[0]).toMatchObject({ operation: "create", wallet_id: "main", outcome: "ok" });
  });

  it("speaks JSON-RPC, and describes itself as the repository does", async () => {
    const reply = await wallet.call("POST /rpc", { body: { jsonrpc: "2.0", id: 1, method: "wallet.list" } });
    expect(reply.body).toMatchObject({ id: 1, result: { items: [{ wallet_id: "main" }] } });
    const stored = readFileSync(join(import.meta.dirname, "../../protocols/wallet-openapi.json"), "utf8");
    expect((await wallet.call("GET /openapi.json")).body).toEqual(JSON.parse(stored));
  });

  it("is not the public one, and writes neither password nor token to the log", async () => {
    const { url, process } = wallet.served;
    expect((await fetch(`${url}/v1/wallets`)).status).toBe(404);
    const token = readFileSync(join(machine.dataDir, "wallet/token.key"), "utf8").trim();
    for (const secret of [PASSWORD, token]) expect(process.stderr).not.toContain(secret);
    expect(statSync(join(machine.dataDir, "wallet/token.key")).mode & 0o777).toBe(0o600);
    const metrics = await (await fetch(`${url}/metrics`)).text();
    expect(metrics).toMatch(/^aitbc_wallet_http_requests_total\{/m);
    expect(metrics).toMatch(/^aitbc_wallet_signatures_total\{operation="sign_message"\} \d+$/m);
  });
});

describe("SIGUSR1", () => {
  it("opens no inspector, neither in the daemon nor in the process that holds the keys", async () => {
    expect(await listens(INSPECTOR_PORT)).toBe(false);
    const body = { password: PASSWORD };
    const opened = await wallet.call("POST /v1/wallets/{wallet_id}/unlock", { values: path, body });
    const { session_token } = opened.body as { session_token: string };
    const { pid } = wallet.served.process;
    const all = [pid, ...childrenOf(pid)];
    expect(all.length).toBeGreaterThan(1);
    for (let round = 0; round < 2; round++) {
      for (const one of all) process.kill(one, "SIGUSR1");
      // Each process has handled the signal once it has answered.
      const signed = await wallet.call("POST /v1/wallets/{wallet_id}/sign", {
        values: path,
        body: { session_token, ...MESSAGE },
      });
      expect(signed.status).toBe(200);
      expect(await listens(INSPECTOR_PORT)).toBe(false);
    }
    expect(wallet.served.process.stderr).not.toContain("Debugger listening");
  });
});

/** What a stopped daemon has noted of wrong passwords. */
function backoffOf({ dataDir }: Sandbox): unknown {
  const database = new Sqlite(join(dataDir, "aitbc.db"), { readonly: true });
  try {
    return database.prepare("select * from wallet_backoff").get();
  } finally {
    database.close();
  }
}

describe("kill -9", () => {
  it("gives back no try: the limit, the back-off and the log are as they were; the keys are gone", async () => {
    const own = new Sandbox();
    onTestFinished(() => own[Symbol.asyncDispose]());
    const first = await WalletProcess.start(own);
    await first.call("POST /v1/wallets", { body: { wallet_id: "main", password: PASSWORD } });
    const unlock = (on: WalletProcess, password: string, wallet_id = "main") =>
      on.call("POST /v1/wallets/{wallet_id}/unlock", { values: { wallet_id }, body: { password } });
    const { session_token } = (await unlock(first, PASSWORD)).body as { session_token: string };
    for (let call = 0; call < 30; call++) {
      expect((await unlock(first, WRONG_PASSWORD, "not-there")).status).toBe(401);
    }
    const WRONG = 5;
    for (let failure = 0; failure < WRONG; failure++) {
      const refused = await unlock(first, WRONG_PASSWORD);
      expect(refused.status).toBe(401);
      // The wait that the fourth one cost must be over before the fifth is tried.
      if (failure === FREE_FAILURES) await sleep(waitAfterFailures(failure + 1));
    }
    const [child = 0] = childrenOf(first.served.process.pid);
    expect(child).toBeGreaterThan(0);
    await first.served.stop("SIGKILL");
    await gone(child);
    expect(backoffOf(own)).toEqual({ wallet_id: "main", failures: WRONG, blocked_until: expect.any(Number) });
    const second = await WalletProcess.start(own);
    expect((await unlock(second, PASSWORD, "not-there")).status).toBe(429);
    const body = { session_token, ...MESSAGE };
    const signed = await second.call("POST /v1/wallets/{wallet_id}/sign", { values: path, body });
    expect([signed.status, signed.body["code"]]).toEqual([403, "WALLET_LOCKED"]);
    const log = (await second.call("GET /v1/access-log", { query: "?limit=200" })).body as {
      items: { outcome: string }[];
    };
    const wrong = log.items.filter(({ outcome }) => outcome === "INVALID_CREDENTIALS");
    expect(wrong).toHaveLength(30 + WRONG);
  });
});
