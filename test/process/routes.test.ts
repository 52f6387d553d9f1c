/** Every route over the built program and real sockets. What each refuses in detail is in `test/flows`. */
import { createHash } from "node:crypto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { KeyKind } from "../../src/wire/access.ts";
import { Sandbox, type Served } from "../harness/process.ts";
import { Api, PREFIXES, type RouteName } from "../harness/process-calls.ts";

/** Greedy, so that the same model writes the same. */
const QUESTION = { type: "inference", prompt: "What is 37 + 45?", temperature: 0 };
const ANSWER = "37 + 45 = 82.";
/** Offered by miners without a key alone, so that the daemon's own miner leaves its jobs to them. */
const FOREIGN = "llama3";
const REGISTRATION = {
  capabilities: { gpus: [{ name: "RTX 4090", memory_mb: 24_564 }], models: [FOREIGN], price: 0 },
  concurrency: 2,
  region: "eu",
};

let machine: Sandbox;
let served: Served;
let api: Api;
/** Id of the miner inside the daemon. */
let ownMiner = "";
beforeAll(async () => {
  machine = new Sandbox();
  served = await machine.serve([], { env: { AITBC_COORDINATOR__ALLOW_KEYLESS_MINERS: "true" } });
  api = new Api(served, machine);
  const { body } = await api.call("GET /v1/admin/miners", { as: "admin" });
  ownMiner = String((body["items"] as { miner_id: string }[])[0]?.miner_id);
});
afterAll(() => machine[Symbol.asyncDispose]());

async function submit(payload: object = {}, rest: object = {}): Promise<string> {
  const body = { payload: { ...QUESTION, ...payload }, ...rest };
  const { status, body: view } = await api.call("POST /v1/jobs", { body });
  expect(status).toBe(201);
  return String(view["job_id"]);
}

/** Submits a job and reads its stream to the end. */
async function complete(): Promise<string> {
  const job_id = await submit();
  const { text } = await api.call("GET /v1/jobs/{job_id}/events", { path: { job_id } });
  expect(text).toContain("event: end");
  return job_id;
}

/** Calls that read, or that change nothing a test looks at: who may make them, and what is answered. */
const SIMPLE: readonly [RouteName, KeyKind | "nobody", query: string, body: Record<string, unknown>][] = [
  ["GET /v1/health", "nobody", "", { status: "ok", env: "production" }],
  ["GET /v1/status", "miner", "", { miners: { online: expect.any(Number) }, status: "healthy" }],
  ["GET /v1/jobs", "client", "?limit=1&offset=0&status=COMPLETED", { limit: 1, offset: 0 }],
  ["GET /v1/jobs/history", "client", "?from=2020-01-01&text=37", { items: expect.any(Array) }],
  ["GET /v1/jobs/templates", "client", "", { items: expect.any(Array) }],
  ["GET /v1/admin/stats", "admin", "", { total_jobs: expect.any(Number), online_miners: expect.any(Number) }],
  ["GET /v1/admin/status", "admin", "", { system: { cpu_percent: expect.any(Number) } }],
  ["GET /v1/admin/jobs", "admin", "?limit=1", { items: [{ client_id: expect.any(String) }] }],
  ["GET /v1/admin/miners", "admin", "?limit=5", { limit: 5, items: expect.any(Array) }],
  ["GET /v1/admin/analytics", "admin", "?days=3", { days: 3, items: [{}, {}, {}] }],
  ["GET /v1/admin/logs", "admin", "?level=info&limit=2", { limit: 2, items: [{}, {}] }],
  ["GET /v1/admin/keys", "admin", "", { items: expect.any(Array) }],
  ["POST /v1/admin/maintenance/cleanup", "admin", "", { status: "ok" }],
  ["POST /v1/admin/maintenance/reindex", "admin", "", { status: "ok", skipped: [] }],
];

describe("each route under each prefix", () => {
  beforeAll(async () => {
    await complete();
  });

  it.each(SIMPLE.flatMap((row) => PREFIXES.map((prefix) => [prefix, ...row] as const)))(
    '"%s": %s',
    async (prefix, route, as, query, body) => {
      const answer = await api.call(route, { as, query, prefix });
      expect(answer).toMatchObject({ status: 200, body });
    },
  );

  it.each(SIMPLE.filter(([, as]) => as === "admin"))("%s is an administrator's", async (route) => {
    expect((await api.call(route, { as: "nobody" })).body["detail"]).toBe("invalid api key");
    expect((await api.call(route, { as: "nobody" })).status).toBe(401);
    expect((await api.call(route, { as: "client" })).status).toBe(403);
  });

  it("the process's own pages", async () => {
    const as = "nobody";
    expect((await api.call("GET /readyz", { as })).body).toEqual({ status: "ready" });
    expect((await api.call("GET /openapi.json", { as })).body["openapi"]).toBe("3.1.0");
    expect((await api.call("GET /metrics", { as })).text).toContain("aitbc_http_requests_total");
    expect((await api.call("GET /docs", { as })).text).toContain("/v1/jobs");
    expect((await api.call("GET /", { as })).text).toContain("aitbc is running");
    const page = await api.call("GET /errors/{code}", { as, path: { code: "JOB_NOT_FOUND" } });
    expect([page.status, page.text.includes("JOB_NOT_FOUND")]).toEqual([200, true]);
  });
});

describe("a job", () => {
  it("is submitted once for one key, streamed, and leaves result, receipt and its place in the lists", async () => {
    const body = { payload: QUESTION };
    const headers = { "Idempotency-Key": "routes-1" };
    const first = await api.call("POST /v1/jobs", { body, headers });
    const again = await api.call("POST /v1/jobs", { body, headers });
    expect([first.status, again.body]).toEqual([201, first.body]);
    const job_id = String(first.body["job_id"]);
    const path = { job_id };
    const stream = await api.call("GET /v1/jobs/{job_id}/events", { path });
    expect(stream.headers.get("content-type")).toContain("text/event-stream");
    expect(stream.text).toMatch(/event: end\n/);
    expect((await api.call("GET /v1/jobs/{job_id}", { path })).body).toMatchObject({ state: "COMPLETED" });
    const result = await api.call("GET /v1/jobs/{job_id}/result", { path });
    expect(result.body).toMatchObject({ result: { text: ANSWER }, receipt: { job_id } });
    const receipt = await api.call("GET /v1/jobs/{job_id}/receipt", { path });
    expect(receipt.body).toEqual(result.body["receipt"]);
    const why = await api.call("GET /v1/jobs/{job_id}/explain", { path });
    expect(why.body).toMatchObject({ state: "COMPLETED", leases: [{ outcome: "completed" }] });
    const page = await api.call("GET /v1/jobs/{job_id}/receipts", { path, query: "?limit=1" });
    expect(page.body).toEqual({ items: [receipt.body], next_cursor: null });
    const after = await api.call("GET /v1/jobs/{job_id}/receipts", { path, query: "?limit=1&cursor=1" });
    expect(after.body).toEqual({ items: [], next_cursor: null });
    for (const route of ["POST /v1/jobs/{job_id}/cancel", "DELETE /v1/jobs/{job_id}"] as const) {
      const { status, body: problem } = await api.call(route, { path });
      expect([status, problem["detail"]]).toEqual([409, "job not cancelable"]);
    }
    const missing = await api.call("GET /v1/jobs/{job_id}", { path: { job_id: "0".repeat(32) } });
    expect([missing.status, missing.body["detail"]]).toEqual([404, "job not found"]);
  });

  it("that waits says why, is put first by an administrator, and is canceled both ways", async () => {
    const path = { job_id: await submit({ model: "nobody-has-it" }) };
    const view = await api.call("GET /v1/jobs/{job_id}", { path });
    expect(view.body).toMatchObject({ queue: { reason: expect.stringContaining("no model nobody-has-it") } });
    const early = await api.call("GET /v1/jobs/{job_id}/result", { path });
    expect([early.status, early.body["detail"]]).toEqual([425, "job not ready"]);
    const none = await api.call("GET /v1/jobs/{job_id}/receipt", { path });
    expect([none.status, none.body["detail"]]).toEqual([404, "receipt not available"]);
    const as = "admin";
    const first = await api.call("POST /v1/admin/jobs/{job_id}/prioritize", {
      as,
      path,
      body: { reason: "a test" },
    });
    expect(first).toMatchObject({ status: 200, body: { priority: 3 } });
    expect((await api.call("GET /v1/admin/jobs/{job_id}", { as, path })).body).toMatchObject({
      client_id: expect.any(String),
    });
    expect((await api.call("DELETE /v1/jobs/{job_id}", { path })).body["state"]).toBe("CANCELED");
    const second = { job_id: await submit({ model: "nobody-has-it" }) };
    const canceled = await api.call("POST /v1/jobs/{job_id}/cancel", { path: second });
    expect(canceled.body["state"]).toBe("CANCELED");
    const third = { job_id: await submit({ model: "nobody-has-it" }) };
    const removed = await api.call("DELETE /v1/admin/jobs/{job_id}", { as, path: third });
    expect(removed.body["state"]).toBe("CANCELED");
  });

  it("comes from a template", async () => {
    const path = { name: "sum" };
    const submission = { payload: { ...QUESTION, prompt: "What is {{a}} + 45?" } };
    const created = await api.call("POST /v1/jobs/templates", { body: { name: "sum", submission } });
    expect(created).toMatchObject({ status: 201, body: { variables: ["a"] } });
    expect((await api.call("GET /v1/jobs/templates/{name}", { path })).body["name"]).toBe("sum");
    const submitted = await api.call("POST /v1/jobs/templates/{name}/submit", {
      path,
      body: { variables: { a: "37" } },
    });
    const job_id = String(submitted.body["job_id"]);
    await api.call("GET /v1/jobs/{job_id}/events", { path: { job_id } });
    const result = await api.call("GET /v1/jobs/{job_id}/result", { path: { job_id } });
    expect(result.body).toMatchObject({ result: { text: ANSWER } });
    expect((await api.call("DELETE /v1/jobs/templates/{name}", { path })).status).toBe(200);
    expect((await api.call("GET /v1/jobs/templates/{name}", { path })).status).toBe(404);
  });
});

describe("models", () => {
  it("are listed as OpenAI's API lists them, and found by name", async () => {
    const { body } = await api.call("GET /v1/models");
    expect(body["object"]).toBe("list");
    const tiny = expect.objectContaining({ id: "aitbc-tiny", object: "model" });
    expect(body["data"]).toEqual(expect.arrayContaining([tiny]));
    const one = await api.call("GET /v1/models/{model}", { path: { model: "aitbc-tiny" } });
    expect(one.body).toMatchObject({ id: "aitbc-tiny", aitbc: { miners: 1, engines: ["builtin"] } });
  });
});

describe("API keys", () => {
  it("are created and revoked, at once", async () => {
    const as = "admin";
    const body = { kind: "client", name: "routes" };
    const created = await api.call("POST /v1/admin/keys", { as, body });
    const { key, key_id } = created.body as { key: string; key_id: string };
    expect((await api.call("GET /v1/jobs", { as: { key } })).body["total"]).toBe(0);
    expect((await api.call("DELETE /v1/admin/keys/{key_id}", { as, path: { key_id } })).status).toBe(200);
    expect((await api.call("GET /v1/jobs", { as: { key } })).status).toBe(401);
  });
});

describe("a backup", () => {
  it("is made and checked for an administrator", async () => {
    const made = await api.call("POST /v1/admin/maintenance/backup", { as: "admin" });
    expect(made).toMatchObject({ status: 200, body: { file: expect.stringMatching(/\.db$/) } });
    expect((await api.call("POST /v1/admin/maintenance/backup")).status).toBe(403);
  });
});

describe("the miner inside the daemon", () => {
  it("is seen, drained and activated by administrators; clients are refused", async () => {
    const as = "admin";
    const path = { miner_id: ownMiner };
    const view = await api.call("GET /v1/miners/{miner_id}", { as, path });
    expect(view.body).toMatchObject({
      status: "ONLINE",
      capabilities: { models: [{ name: "aitbc-tiny", engine: "builtin" }] },
    });
    expect((await api.call("GET /v1/admin/miners/{miner_id}", { as, path })).body["status"]).toBe("ONLINE");
    const drained = await api.call("POST /v1/miners/{miner_id}/drain", { as, path });
    expect(drained.body).toMatchObject({ status: "DRAINING" });
    const job = { job_id: await submit() };
    expect((await api.call("GET /v1/jobs/{job_id}", { path: job })).body).toMatchObject({ state: "QUEUED" });
    const active = await api.call("POST /v1/miners/{miner_id}/activate", { as, path });
    expect(active.body).toMatchObject({ status: "ONLINE" });
    await api.call("GET /v1/jobs/{job_id}/events", { path: job });
    const off = await api.call("POST /v1/admin/miners/{miner_id}/deactivate", { as, path });
    expect(off.body).toMatchObject({ status: "QUARANTINED", active: false });
    const on = await api.call("POST /v1/admin/miners/{miner_id}/activate", { as, path });
    expect(on.body).toMatchObject({ status: "ONLINE", active: true });
    for (const route of ["GET /v1/miners/{miner_id}/jobs", "GET /v1/miners/{miner_id}/earnings"] as const) {
      expect((await api.call(route, { as, path })).body["miner_id"]).toBe(ownMiner);
      expect((await api.call(route, { path })).status).toBe(403);
    }
  });
});

describe("a session of a miner with a key", () => {
  it("begins with a challenge; without an upgrade or a miner's key there is none", async () => {
    const socket = await api.socket("GET /v1/miners/session", { as: "miner" });
    expect(await socket.next()).toMatchObject({ type: "challenge", v: 1, nonce: expect.any(String) });
    expect((await api.call("GET /v1/miners/session", { as: "miner" })).status).toBe(400);
    await expect(api.socket("GET /v1/miners/session", { as: "client" })).rejects.toThrow("403");
  });
});

describe("a miner without a key", () => {
  const as = "miner";
  const headers = { "X-Miner-ID": "gpu-1" };
  const path = { miner_id: "gpu-1" };

  it("lives its whole life over HTTP: jobs, an artifact, a failure, earnings, drain, end", async () => {
    const registered = await api.call("POST /v1/miners/register", { as, headers, body: REGISTRATION });
    expect(registered.body).toMatchObject({ status: "ok", session_token: expect.any(String) });
    const beat = { as, headers, body: { inflight: 0, status: "ONLINE", metadata: {} } } as const;
    expect((await api.call("POST /v1/miners/heartbeat", beat)).body).toMatchObject({ status: "ok" });
    const capabilities = { ...REGISTRATION.capabilities, models: [FOREIGN, "mistral"] };
    const put = await api.call("PUT /v1/miners/{miner_id}/capabilities", { as, path, body: capabilities });
    expect(put.body).toMatchObject({ status: "updated", capabilities });

    const poll = { as, headers, body: { max_wait_seconds: 20 } } as const;
    const waiting = api.call("POST /v1/miners/poll", poll);
    const job_id = await submit({ model: "mistral" }, { constraints: { gpu: "RTX 4090", min_vram_gb: 16 } });
    expect((await waiting).body).toMatchObject({ job_id, lease_token: 1 });
    const job = { as, headers, path: { job_id } } as const;
    expect((await api.call("POST /v1/miners/{job_id}/start", job)).status).toBe(200);
    const content = Buffer.alloc(2 * 1024 * 1024, "x");
    const sha256 = createHash("sha256").update(content).digest("hex");
    const uploaded = await api.call("PUT /v1/artifacts", { as, body: content });
    expect(uploaded).toMatchObject({ status: 201, body: { artifact: `sha256:${sha256}` } });
    const body = { result: { artifact: `sha256:${sha256}` }, metrics: { units: 1_000_000 } };
    const done = await api.call("POST /v1/miners/{job_id}/result", { ...job, body });
    expect(done.body).toMatchObject({ status: "ok", receipt: { job_id } });
    expect((await api.call("POST /v1/miners/{job_id}/result", { ...job, body })).status).toBe(409);
    const result = await api.call("GET /v1/jobs/{job_id}/result", { path: { job_id } });
    expect(result.body).toMatchObject({ result: { artifact: { artifact: `sha256:${sha256}` } } });
    const download = await api.call("GET /v1/artifacts/{sha256}", { path: { sha256 } });
    expect([download.status, download.text.length]).toEqual([200, content.length]);

    const failing = await submit({ model: FOREIGN });
    await api.call("POST /v1/miners/poll", poll);
    const failure = { error_code: "INVALID_PAYLOAD", error_message: "no", metrics: {} };
    const failed = { as, headers, path: { job_id: failing }, body: failure } as const;
    expect((await api.call("POST /v1/miners/{job_id}/fail", failed)).body).toEqual({ status: "ok" });
    expect((await api.call("GET /v1/jobs/{job_id}", { path: { job_id: failing } })).body).toMatchObject({
      state: "FAILED",
      error: "INVALID_PAYLOAD: no",
    });

    for (const route of ["POST /v1/miners/{miner_id}/jobs", "GET /v1/miners/{miner_id}/jobs"] as const) {
      expect((await api.call(route, { as, path })).body).toMatchObject({ total: 2, miner_id: "gpu-1" });
      expect((await api.call(route, { as: "client", path })).status).toBe(403);
    }
    for (const route of [
      "POST /v1/miners/{miner_id}/earnings",
      "GET /v1/miners/{miner_id}/earnings",
    ] as const) {
      expect((await api.call(route, { as, path })).body).toMatchObject({ completed_jobs: 1 });
    }
    expect((await api.call("POST /v1/miners/drain", { as, headers })).body["status"]).toBe("ok");
    expect((await api.call("POST /v1/miners/poll", poll)).status).toBe(204);
    expect((await api.call("DELETE /v1/miners/{miner_id}", { as, path })).body).toEqual({
      miner_id: "gpu-1",
      status: "deregistered",
    });
    const late = await api.call("POST /v1/miners/heartbeat", beat);
    expect([late.status, late.body["detail"]]).toEqual([404, "miner not registered"]);
  });

  it("is handed its jobs over a WebSocket, and the client's tells each state", async () => {
    await api.call("POST /v1/miners/register", { as, headers, body: REGISTRATION });
    const miner = await api.socket("GET /v1/ws/miner", { as, headers });
    const job_id = await submit({ model: FOREIGN });
    const client = await api.socket("GET /v1/ws/client", { query: `?job_id=${job_id}` });
    expect(await miner.next()).toMatchObject({ type: "job.assigned", job_id, lease_token: 1 });
    miner.send({ type: "heartbeat", inflight: 1, status: "ONLINE" });
    expect(await miner.next()).toMatchObject({ type: "heartbeat.ok", leases: [{ job_id }] });
    miner.send({ type: "result", job_id, result: { output: "Because." } });
    expect(await miner.next()).toMatchObject({ type: "result.ok", receipt: { job_id } });
    const { frames } = await client.ended();
    const states = frames.flatMap(({ type, state }) => (type === "state.changed" ? [state] : []));
    expect([states.at(-1), frames.at(-1)?.["type"]]).toEqual(["COMPLETED", "result.ready"]);
    await expect(api.socket("GET /v1/ws/miner", { as: "client", headers })).rejects.toThrow("403");
    await expect(api.socket("GET /v1/ws/client", { query: "?job_id=unknown" })).rejects.toThrow("404");
  });
});

describe("an artifact", () => {
  it("goes up and comes down, whole and in part, and is given up", async () => {
    const content = Buffer.from("what a client draws");
    const sha256 = createHash("sha256").update(content).digest("hex");
    const headers = { "Content-Type": "text/plain", "X-Content-SHA256": sha256 };
    const up = await api.call("POST /v1/artifacts", { body: content, headers });
    expect(up).toMatchObject({ status: 201, body: { size_bytes: content.length, media_type: "text/plain" } });
    const wrong = { ...headers, "X-Content-SHA256": "0".repeat(64) };
    expect((await api.call("PUT /v1/artifacts", { body: content, headers: wrong })).status).toBe(422);
    const path = { sha256 };
    expect((await api.call("GET /v1/artifacts/{sha256}", { path })).text).toBe(content.toString());
    const part = await api.call("GET /v1/artifacts/{sha256}", { path, headers: { Range: "bytes=0-3" } });
    expect([part.status, part.text]).toEqual([206, "what"]);
    expect((await api.call("GET /v1/artifacts/{sha256}", { path, as: "miner" })).status).toBe(404);
    const listed = await api.call("GET /v1/artifacts", { query: "?limit=5" });
    expect(listed.body).toMatchObject({ items: [{ artifact: `sha256:${sha256}` }], next_cursor: null });
    expect((await api.call("DELETE /v1/artifacts/{sha256}", { path })).status).toBe(200);
    expect((await api.call("GET /v1/artifacts/{sha256}", { path })).status).toBe(404);
  });
});
