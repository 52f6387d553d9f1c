/**
 * The table of calls that existing miners make, typed by hand: paths, bodies, statuses and members as those
 * programs send and expect them, over a real socket with plain fetch.
 */
import { describe, expect, it } from "vitest";
import { parseReceipt } from "../../src/domain/receipt/parse.ts";
import { verifyReceipt } from "../../src/domain/receipt/verify.ts";
import { bootDaemon, type TestDaemon } from "../harness/daemon.ts";
import { waitForState } from "../harness/events.ts";
import { PlainCaller } from "../harness/plain-caller.ts";

const REGISTRATION = {
  capabilities: {
    gpus: [{ name: "NVIDIA GeForce RTX 4090", memory_mb: 24564, driver: "550.54" }],
    cuda: "12.4",
    models: ["llama3", "mistral"],
    price: 0.05,
    max_concurrent_jobs: 2,
    edge_optimized: false,
  },
  concurrency: 2,
  region: "eu-west",
  agent: "miner/0.1",
};

const JOB = { payload: { type: "inference", prompt: "Why is the sky blue?", model: "llama3" } };

function bootOpen(settings: Readonly<Record<string, string>> = {}): Promise<TestDaemon> {
  return bootDaemon({
    settings: {
      "coordinator.allow_keyless_miners": "true",
      "coordinator.price_uait_per_million_units": "200000",
      ...settings,
    },
  });
}

/** A registered miner, and a client. */
async function open(name = "gpu-1", registration: object = REGISTRATION) {
  const daemon = await bootOpen();
  const miner = PlainCaller.miner(daemon, name);
  const client = new PlainCaller(daemon.url, daemon.keys.client);
  const registered = await miner.post("/v1/miners/register", registration);
  return { daemon, miner, client, registered };
}

async function submit(client: PlainCaller, job: object = JOB): Promise<string> {
  const { status, body } = await client.post("/v1/jobs", job);
  expect(status).toBe(201);
  return String(body["job_id"]);
}

describe("POST /v1/miners/register", () => {
  it("answers 200 with status and a session token", async () => {
    const { registered } = await open();
    expect(registered.status).toBe(200);
    expect(registered.body).toMatchObject({ status: "ok", session_token: expect.stringMatching(/^.{16,}$/) });
  });

  it("is refused where the operator has not allowed it, and says what to do", async () => {
    const daemon = await bootDaemon();
    const { status, body } = await PlainCaller.miner(daemon).post("/v1/miners/register", REGISTRATION);
    expect([status, body["code"]]).toEqual([403, "MINER_KEY_REQUIRED"]);
    expect(body["detail"]).toContain("coordinator.allow_keyless_miners");
    expect(body["detail"]).toContain("aitbc miner start");
    expect(daemon.rowCounts()["coordinator_miner"]).toBe(0);
  });

  it("takes the least that a miner may say", async () => {
    const { registered } = await open("least", { capabilities: { models: ["llama3"] } });
    expect(registered.status).toBe(200);
  });

  it("needs a miner's key", async () => {
    const daemon = await bootOpen();
    const call = (key: string) => new PlainCaller(daemon.url, key).post("/v1/miners/register", REGISTRATION);
    expect(await call("nonsense")).toMatchObject({ status: 401, body: { detail: "invalid api key" } });
    expect((await call(daemon.keys.client)).status).toBe(403);
  });
});

describe("a miner that is not registered", () => {
  it.each([
    ["POST", "/v1/miners/heartbeat", { inflight: 0, status: "ONLINE", metadata: {} }],
    ["POST", "/v1/miners/poll", { max_wait_seconds: 5 }],
    ["POST", "/v1/miners/drain", undefined],
    ["PUT", "/v1/miners/gpu-1/capabilities", { models: [] }],
    ["DELETE", "/v1/miners/gpu-1", undefined],
    ["POST", "/v1/miners/gpu-1/jobs", undefined],
    ["POST", "/v1/miners/gpu-1/earnings", undefined],
    ["POST", `/v1/miners/${"0".repeat(32)}/start`, undefined],
    ["POST", `/v1/miners/${"0".repeat(32)}/result`, { result: {}, metrics: {} }],
    ["POST", `/v1/miners/${"0".repeat(32)}/fail`, { error_code: "X", error_message: "y", metrics: {} }],
  ])("%s %s answers 404", async (method, path, body) => {
    const daemon = await bootOpen();
    const answer = await PlainCaller.miner(daemon, "gpu-1").call(method, path, body);
    expect([answer.status, answer.body["detail"]]).toEqual([404, "miner not registered"]);
  });
});

describe("POST /v1/miners/heartbeat", () => {
  it("answers 200", async () => {
    const { miner } = await open();
    const heartbeat = { inflight: 0, status: "ONLINE", metadata: { gpu_utilization: 0.1 } };
    const { status, body } = await miner.post("/v1/miners/heartbeat", heartbeat);
    expect([status, body["status"]]).toEqual([200, "ok"]);
  });
});

describe("the way of a job", () => {
  it("poll, start, result: 200 with a receipt; the client reads both", async () => {
    const { daemon, miner, client } = await open();
    const constraints = { gpu: "NVIDIA GeForce RTX 4090", cuda: "12", min_vram_gb: 16, region: "eu-west" };
    const jobId = await submit(client, { ...JOB, constraints: { ...constraints, max_price: 0.25 } });
    const poll = await miner.post("/v1/miners/poll", { max_wait_seconds: 5 });
    expect(poll.status).toBe(200);
    expect(poll.body).toMatchObject({ job_id: jobId, payload: JOB.payload, lease_token: 1 });
    expect(poll.body["constraints"]).toMatchObject(constraints);
    expect(poll.body["terms"]).toMatchObject({ job_id: jobId, meter: "bytes/4", token: 1 });
    const start = await miner.post(`/v1/miners/${jobId}/start`);
    expect(start.status).toBe(200);
    expect((await client.get(`/v1/jobs/${jobId}`)).body["state"]).toBe("RUNNING");
    const result = { output: "Because air scatters blue light.", tokens: [1, 2], nested: { é: "☀" } };
    const done = await miner.post(`/v1/miners/${jobId}/result`, {
      result,
      metrics: { units: 1_000_000, duration_ms: 1 },
    });
    expect([done.status, done.body["status"]]).toEqual([200, "ok"]);
    expect((await client.get(`/v1/jobs/${jobId}`)).body["state"]).toBe("COMPLETED");
    const read = await client.get(`/v1/jobs/${jobId}/result`);
    expect(read.status).toBe(200);
    expect(read.body["result"]).toMatchObject({ text: result.output, original: result });
    expect(read.body["receipt"]).toEqual(done.body["receipt"]);
    expect((await client.get(`/v1/jobs/${jobId}/receipt`)).body).toEqual(done.body["receipt"]);
    expectAttestedAlone(daemon, done.body["receipt"], result.output);
  });

  it("poll answers 204 when nothing comes", async () => {
    const { miner } = await open();
    expect((await miner.post("/v1/miners/poll", { max_wait_seconds: 0 })).status).toBe(204);
  });

  it("poll with no time to wait still finds what is there", async () => {
    const { miner, client } = await open();
    const jobId = await submit(client);
    const { body } = await miner.post("/v1/miners/poll", { max_wait_seconds: 0 });
    expect(body["job_id"]).toBe(jobId);
  });

  it("fail answers 200, and the job's error reads CODE: message", async () => {
    const { miner, client } = await open();
    const jobId = await submit(client);
    await miner.post("/v1/miners/poll", { max_wait_seconds: 5 });
    const failure = { error_code: "OOM", error_message: "out of memory", metrics: {} };
    const { status, body } = await miner.post(`/v1/miners/${jobId}/fail`, failure);
    expect([status, body["status"]]).toEqual([200, "ok"]);
    const view = (await client.get(`/v1/jobs/${jobId}`)).body;
    expect([view["error"], view["state"]]).toEqual(["OOM: out of memory", "QUEUED"]);
  });

  it("fail ends the job where no other miner could do better", async () => {
    const { miner, client } = await open();
    const jobId = await submit(client);
    await miner.post("/v1/miners/poll", { max_wait_seconds: 5 });
    const failure = { error_code: "INVALID_PAYLOAD", error_message: "no prompt", metrics: {} };
    await miner.post(`/v1/miners/${jobId}/fail`, failure);
    const view = (await client.get(`/v1/jobs/${jobId}`)).body;
    expect([view["error"], view["state"]]).toEqual(["INVALID_PAYLOAD: no prompt", "FAILED"]);
  });

  it.each([
    ["plain text", "plain text"],
    [{ text: "as text" }, "as text"],
    [{ response: "as response", done: true }, "as response"],
    [{ b: 1, a: [null] }, '{"a":[null],"b":1}'],
    [[1, 2], "[1,2]"],
    [null, "null"],
    ["", ""],
  ])("a result %j is the text %s", async (result, text) => {
    const { daemon, miner, client } = await open();
    const jobId = await submit(client);
    await miner.post("/v1/miners/poll", { max_wait_seconds: 5 });
    const done = await miner.post(`/v1/miners/${jobId}/result`, { result });
    expect(done.status).toBe(200);
    const read = await client.get(`/v1/jobs/${jobId}/result`);
    expect(read.body["result"]).toMatchObject({ text, original: result });
    expectAttestedAlone(daemon, done.body["receipt"], text);
  });

  it("a call without a result is refused and changes nothing", async () => {
    const { miner, client } = await open();
    const jobId = await submit(client);
    await miner.post("/v1/miners/poll", { max_wait_seconds: 5 });
    expect((await miner.post(`/v1/miners/${jobId}/result`, { metrics: {} })).status).toBe(422);
    expect((await client.get(`/v1/jobs/${jobId}`)).body["state"]).toBe("RUNNING");
  });
});

/** Checks offline what such a receipt says: units by the coordinator's count, its attestation, no key's owner. */
function expectAttestedAlone(daemon: TestDaemon, receipt: unknown, text: string): void {
  const parsed = parseReceipt(JSON.stringify(receipt));
  const output = new TextEncoder().encode(text);
  const { lines } = verifyReceipt(parsed, { output }, { coordinatorKeys: [daemon.coordinatorKey] });
  expect(lines.filter(({ status }) => status === "failed")).toEqual([]);
  const attested = lines.find(({ check }) => check === "attestation");
  const signed = lines.find(({ check }) => check === "miner_signature");
  expect([attested?.status, signed?.status]).toEqual(["proven", "not_proven"]);
  expect(lines.some(({ detail }) => detail.includes("it holds no key"))).toBe(true);
  const { provider, client, units, signature } = parsed.receipt as unknown as Record<string, unknown>;
  expect(String(provider)).toMatch(/^keyless-[0-9a-f]{32}$/);
  expect(String(client)).not.toContain("ait_");
  expect(signature).toBeUndefined();
  const prompt = Buffer.byteLength(JOB.payload.prompt);
  expect(units).toBe(output.length === 0 ? 0 : Math.ceil(output.length / 4) + Math.ceil(prompt / 4));
}

describe("POST /v1/miners/drain", () => {
  it("answers 200; polls end at once and bring nothing until the next registration", async () => {
    const { miner, client } = await open();
    const waiting = miner.post("/v1/miners/poll", { max_wait_seconds: 20 });
    expect((await miner.post("/v1/miners/drain")).status).toBe(200);
    expect((await waiting).status).toBe(204);
    const jobId = await submit(client);
    expect((await miner.post("/v1/miners/poll", { max_wait_seconds: 0 })).status).toBe(204);
    await miner.post("/v1/miners/register", REGISTRATION);
    const poll = await miner.post("/v1/miners/poll", { max_wait_seconds: 5 });
    expect(poll.body["job_id"]).toBe(jobId);
  });
});

describe("the calls that name a miner", () => {
  it("PUT capabilities answers what is in force, and the queue follows it", async () => {
    const { miner, client, registered } = await open();
    const jobId = await submit(client, { payload: { ...JOB.payload, model: "qwen" } });
    const waiting = await client.get(`/v1/jobs/${jobId}`);
    expect(waiting.body["queue"]).toMatchObject({ reason: "1 miner online, none fits: no model qwen" });
    const capabilities = { gpus: [], cuda: null, models: ["qwen"], price: null };
    const put = await miner.call("PUT", "/v1/miners/gpu-1/capabilities", capabilities);
    expect(put).toEqual({
      status: 200,
      body: {
        miner_id: "gpu-1",
        status: "updated",
        capabilities,
        session_token: registered.body["session_token"],
      },
    });
    const poll = await miner.post("/v1/miners/poll", { max_wait_seconds: 5 });
    expect(poll.body["job_id"]).toBe(jobId);
  });

  it("PUT capabilities also takes them as a member of the body", async () => {
    const { miner } = await open();
    const capabilities = { models: ["qwen"] };
    const put = await miner.call("PUT", "/v1/miners/gpu-1/capabilities", { capabilities });
    expect([put.status, put.body["capabilities"]]).toEqual([200, capabilities]);
    const wrong = await miner.call("PUT", "/v1/miners/gpu-1/capabilities", { capabilities: "fast" });
    expect(wrong.status).toBe(422);
  });

  it.each(["POST", "GET"])("%s jobs and earnings", async (method) => {
    const { miner, client } = await open();
    const jobId = await submit(client);
    await miner.post("/v1/miners/poll", { max_wait_seconds: 5 });
    const done = await miner.post(`/v1/miners/${jobId}/result`, {
      result: { output: "x".repeat(4_000_000 / 8) },
    });
    const { price, units } = done.body["receipt"] as { price: number; units: number };
    expect(price).toBe(Math.ceil(units / 5));
    const jobs = await miner.call(method, "/v1/miners/gpu-1/jobs?limit=10&offset=0");
    expect(jobs.status).toBe(200);
    expect(jobs.body).toMatchObject({ total: 1, limit: 10, offset: 0, miner_id: "gpu-1" });
    expect(jobs.body["jobs"]).toMatchObject([{ job_id: jobId, state: "COMPLETED", units }]);
    const earnings = await miner.call(method, "/v1/miners/gpu-1/earnings");
    expect(earnings.status).toBe(200);
    expect(earnings.body).toMatchObject({
      miner_id: "gpu-1",
      total_earnings: price / 1_000_000,
      pending_earnings: price / 1_000_000,
      completed_jobs: 1,
      currency: "AITBC",
      from_time: expect.stringMatching(/Z$/),
      to_time: expect.stringMatching(/Z$/),
    });
    expect(earnings.body["earnings_history"]).toMatchObject([{ amount: price / 1_000_000, jobs: 1 }]);
  });

  it("the id of registration names the miner too, another key's miner does not exist", async () => {
    const { daemon, miner, registered } = await open();
    const id = String(registered.body["miner_id"]);
    expect((await miner.post(`/v1/miners/${id}/earnings`)).body["miner_id"]).toBe(id);
    const { key } = await daemon.admin.createKey({ kind: "miner", name: "stranger" });
    const stranger = PlainCaller.miner(daemon, "gpu-1", key);
    for (const path of [`/v1/miners/${id}/earnings`, `/v1/miners/${id}/jobs`, "/v1/miners/gpu-1/jobs"]) {
      expect((await stranger.post(path)).status).toBe(404);
    }
    expect((await stranger.call("DELETE", `/v1/miners/${id}`)).status).toBe(404);
    expect((await miner.post("/v1/miners/heartbeat", { inflight: 0 })).status).toBe(200);
  });

  it("DELETE takes the miner out; its running job waits again at once", async () => {
    const { daemon, miner, client } = await open();
    const jobId = await submit(client);
    await miner.post("/v1/miners/poll", { max_wait_seconds: 5 });
    const gone = await miner.call("DELETE", "/v1/miners/gpu-1");
    expect(gone).toEqual({ status: 200, body: { miner_id: "gpu-1", status: "deregistered" } });
    expect((await miner.post("/v1/miners/heartbeat", { inflight: 1 })).status).toBe(404);
    await waitForState(daemon.client, jobId, ({ state }) => state === "QUEUED");
  });
});

describe("the prefixes that existing clients use", () => {
  it.each(["/v1", "/api/v1", ""])("%s/miners is one router", async (prefix) => {
    const { miner } = await open();
    expect((await miner.post(`${prefix}/miners/heartbeat`, { inflight: 0 })).status).toBe(200);
  });
});
