import { describe, expect, it } from "vitest";
import { FAILURES_TO_QUARANTINE, QUARANTINE_BASE_MS } from "../../src/roles/coordinator/miner-health.ts";
import { OPEN_CAP_MS } from "../../src/roles/coordinator/model-breaker.ts";
import { TestClock } from "../harness/clock.ts";
import { bootDaemon, type TestDaemon } from "../harness/daemon.ts";
import { waitForState } from "../harness/events.ts";
import { expectSound, job, receiptsOf } from "../harness/jobs.ts";
import { type Plain, PlainCaller } from "../harness/plain-caller.ts";
import { ScriptedMiner, TEST_MODEL } from "../harness/scripted-miner.ts";
import { awaitSweep } from "../harness/sweep.ts";

const SETTINGS = { "coordinator.allow_keyless_miners": "true" };
const CAPABILITIES = { models: [TEST_MODEL] };
const PROMPT = "write something";
/** Longest back-off after the attempts of these tests, in ms. */
const BACKOFF_MS = 4000;

interface Bench {
  readonly clock: TestClock;
  readonly daemon: TestDaemon;
  readonly miner: PlainCaller;
}

async function join(daemon: TestDaemon, name: string, concurrency = 1): Promise<PlainCaller> {
  const miner = PlainCaller.miner(daemon, name);
  const body = { capabilities: CAPABILITIES, concurrency, region: "eu" };
  expect((await miner.post("/v1/miners/register", body)).status).toBe(200);
  return miner;
}

async function bench(settings: Readonly<Record<string, string>> = {}, concurrency = 1): Promise<Bench> {
  const clock = new TestClock();
  const daemon = await bootDaemon({ clock, settings: { ...SETTINGS, ...settings } });
  return { clock, daemon, miner: await join(daemon, "first", concurrency) };
}

async function submit(daemon: TestDaemon, rest: Parameters<typeof job>[1] = {}): Promise<string> {
  return (await daemon.client.submitJob(job(PROMPT, rest))).job_id;
}

const poll = (miner: PlainCaller, seconds = 10): Promise<Plain> =>
  miner.post("/v1/miners/poll", { max_wait_seconds: seconds });

/** A job in the hands of the miner. */
async function take(daemon: TestDaemon, miner: PlainCaller): Promise<string> {
  const jobId = await submit(daemon);
  expect((await poll(miner)).body["job_id"]).toBe(jobId);
  return jobId;
}

const resultOf = (miner: PlainCaller, jobId: string, text: string, token?: number): Promise<Plain> =>
  miner.post(`/v1/miners/${jobId}/result`, {
    result: { output: text },
    metrics: { units: 1_000_000, price: 1_000_000 },
    ...(token !== undefined && { lease_token: token }),
  });

const statusesOf = async (calls: readonly Promise<Plain>[]): Promise<number[]> =>
  (await Promise.all(calls)).map(({ status }) => status);

function receiptCount(daemon: TestDaemon, jobId: string): number {
  return daemon.query("select 1 from coordinator_receipt where job_id = ?", jobId).length;
}

describe("a poll", () => {
  it("waits as long as it may when there is nothing", async () => {
    const { miner } = await bench();
    const began = performance.now();
    expect((await poll(miner, 1)).status).toBe(204);
    expect(performance.now() - began).toBeGreaterThan(990);
  });

  it("wakes when a job is queued that fits, long before its time is up", async () => {
    const { daemon, miner } = await bench();
    const began = performance.now();
    const waiting = poll(miner, 20);
    await miner.post("/v1/miners/heartbeat", { inflight: 0 });
    await daemon.client.submitJob(job(PROMPT, { constraints: { region: "elsewhere" } }));
    const jobId = await submit(daemon);
    expect((await waiting).body["job_id"]).toBe(jobId);
    expect(performance.now() - began).toBeLessThan(10_000);
  });

  it("of two miners with two jobs: each gets one", async () => {
    const { daemon, miner } = await bench();
    const other = await join(daemon, "second");
    const waiting = [poll(miner), poll(other)];
    const jobs = [await submit(daemon), await submit(daemon)];
    const taken = (await Promise.all(waiting)).map(({ body }) => String(body["job_id"]));
    expect(taken.sort()).toEqual(jobs.sort());
  });

  it("that its caller has left loses no job: the next poll gets it", async () => {
    const { daemon, miner } = await bench();
    const leaving = new AbortController();
    const left = miner.call("POST", "/v1/miners/poll", { max_wait_seconds: 20 }, leaving.signal);
    await miner.post("/v1/miners/heartbeat", { inflight: 0 });
    leaving.abort();
    await expect(left).rejects.toThrow();
    const jobId = await submit(daemon);
    expect((await poll(miner)).body["job_id"]).toBe(jobId);
  });

  it("ends with its caller, and nothing is claimed for it any more", async () => {
    const { daemon, miner } = await bench();
    const leaving = new AbortController();
    const left = miner.call("POST", "/v1/miners/poll", { max_wait_seconds: 25 }, leaving.signal);
    await miner.post("/v1/miners/heartbeat", { inflight: 0 });
    leaving.abort();
    await expect(left).rejects.toThrow();
    const polls = /aitbc_http_requests_total\{[^}]*route="\/v1\/miners\/poll"/;
    await expect.poll(async () => (await fetch(`${daemon.url}/metrics`)).text()).toMatch(polls);
    const jobId = await submit(daemon);
    const other = await join(daemon, "second");
    expect((await poll(other)).body["job_id"]).toBe(jobId);
  });

  it("of a miner with no free slot brings nothing; the slot that gets free does", async () => {
    const { daemon, miner } = await bench();
    const first = await take(daemon, miner);
    const second = await submit(daemon);
    expect((await poll(miner, 0)).status).toBe(204);
    const waiting = poll(miner);
    await resultOf(miner, first, "done");
    expect((await waiting).body["job_id"]).toBe(second);
  });

  it("ends when the daemon stops", async () => {
    const { daemon, miner } = await bench();
    const waiting = poll(miner, 20).then(
      ({ status }) => status,
      () => "cut off",
    );
    await miner.post("/v1/miners/heartbeat", { inflight: 0 });
    await daemon.daemon.stop();
    expect([204, "cut off"]).toContain(await waiting);
  });
});

describe("a result", () => {
  it("is taken once: a second one is 409, and there is one receipt of the coordinator's own figures", async () => {
    const { daemon, miner } = await bench();
    const jobId = await take(daemon, miner);
    expect((await resultOf(miner, jobId, "the answer")).status).toBe(200);
    expect(await statusesOf([resultOf(miner, jobId, "the answer"), resultOf(miner, jobId, "other")])).toEqual(
      [409, 409],
    );
    const receipts = await receiptsOf(daemon.client, jobId);
    expect(receipts).toHaveLength(1);
    expectSound(receipts, "the answer", PROMPT);
  });

  it("handed in twice at the same time is taken once", async () => {
    const { daemon, miner } = await bench();
    const jobId = await take(daemon, miner);
    const both = [resultOf(miner, jobId, "one"), resultOf(miner, jobId, "two")];
    expect((await statusesOf(both)).sort()).toEqual([200, 409]);
    expect(receiptCount(daemon, jobId)).toBe(1);
  });

  it("that comes twice at once under its token is answered twice with the same receipt", async () => {
    const { daemon, miner } = await bench();
    const jobId = await take(daemon, miner);
    const answers = await Promise.all([1, 2, 3].map(() => resultOf(miner, jobId, "text", 1)));
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200]);
    expect(new Set(answers.map(({ body }) => JSON.stringify(body))).size).toBe(1);
    expect(receiptCount(daemon, jobId)).toBe(1);
  });

  it("that comes again under its token is answered again; another one under it is 409", async () => {
    const { daemon, miner } = await bench();
    const jobId = await take(daemon, miner);
    const first = await resultOf(miner, jobId, "the answer", 1);
    expect(await resultOf(miner, jobId, "the answer", 1)).toEqual(first);
    expect((await resultOf(miner, jobId, "another answer", 1)).status).toBe(409);
    expect((await resultOf(miner, jobId, "the answer", 2)).status).toBe(409);
    expect(receiptCount(daemon, jobId)).toBe(1);
  });

  it("for another miner's job, or under a token that is not the lease's, is 409 and changes nothing", async () => {
    const { daemon, miner } = await bench();
    const other = await join(daemon, "second");
    const jobId = await take(daemon, miner);
    const refused = [
      resultOf(other, jobId, "mine"),
      resultOf(other, jobId, "mine", 1),
      resultOf(miner, jobId, "mine", 2),
      other.post(`/v1/miners/${jobId}/fail`, { error_code: "OOM", error_message: "" }),
      other.post(`/v1/miners/${jobId}/start`),
      other.post(`/v1/miners/${jobId}/start?lease_token=1`),
    ];
    expect(await statusesOf(refused)).toEqual([409, 409, 409, 409, 409, 409]);
    expect((await daemon.client.getJob(jobId)).state).toBe("RUNNING");
    expect((await resultOf(miner, jobId, "mine")).status).toBe(200);
    expect((await resultOf(other, jobId, "mine", 1)).status).toBe(409);
  });

  it("of a job that nobody has is 404", async () => {
    const { miner } = await bench();
    const answer = await resultOf(miner, "0".repeat(32), "x");
    expect([answer.status, answer.body["detail"]]).toEqual([404, "job not found"]);
  });

  it("longer than the terms allow is 413, and a shorter one may follow", async () => {
    const { daemon, miner } = await bench({ "coordinator.max_output_bytes": "100" });
    const jobId = await take(daemon, miner);
    expect((await resultOf(miner, jobId, "é".repeat(51))).status).toBe(413);
    expect((await resultOf(miner, jobId, "é".repeat(50))).status).toBe(200);
  });

  it("of a canceled job is 409; the miner sees at its heartbeat that the lease is gone", async () => {
    const { daemon, miner } = await bench();
    const jobId = await take(daemon, miner);
    const held = await miner.post("/v1/miners/heartbeat", { inflight: 1 });
    expect(held.body["leases"]).toEqual([{ job_id: jobId, lease_token: 1 }]);
    await daemon.client.cancelJob(jobId);
    expect((await miner.post("/v1/miners/heartbeat", { inflight: 1 })).body["leases"]).toEqual([]);
    expect((await resultOf(miner, jobId, "too late")).status).toBe(409);
  });
});

describe("a finished job", () => {
  it("cannot be failed", async () => {
    const { daemon, miner } = await bench();
    const jobId = await take(daemon, miner);
    await resultOf(miner, jobId, "done");
    const failure = { error_code: "OOM", error_message: "x", metrics: {} };
    const path = `/v1/miners/${jobId}/fail`;
    const calls = [miner.post(path, failure), miner.post(path, { ...failure, lease_token: 1 })];
    expect(await statusesOf(calls)).toEqual([409, 409]);
    expect((await daemon.client.getJob(jobId)).state).toBe("COMPLETED");
  });

  it("leaves no API key anywhere: receipts name opaque ids", async () => {
    const { daemon, miner } = await bench();
    const jobId = await take(daemon, miner);
    await resultOf(miner, jobId, "done");
    const rows = ["job", "segment", "receipt", "miner"].map((table) =>
      daemon.query(`select * from coordinator_${table}`),
    );
    expect(JSON.stringify(rows)).not.toMatch(/ait_(client|miner|admin)_/);
    expect(JSON.stringify(rows[2])).toContain("keyless-");
    // The miner's name is its owner's business.
    expect(JSON.stringify(rows[2])).not.toContain("first");
  });
});

describe("a miner that is lost", () => {
  it("loses its job to another miner; what it hands in later is 409", async () => {
    const { clock, daemon, miner } = await bench();
    const jobId = await take(daemon, miner);
    clock.advance(31_000);
    await waitForState(daemon.client, jobId, ({ state }) => state === "QUEUED");
    const other = await join(daemon, "second");
    clock.advance(BACKOFF_MS);
    const again = await poll(other);
    expect(again.body).toMatchObject({ job_id: jobId, lease_token: 2 });
    const late = [resultOf(miner, jobId, "late"), resultOf(miner, jobId, "late", 1)];
    expect(await statusesOf(late)).toEqual([409, 409]);
    expect((await resultOf(other, jobId, "in time")).status).toBe(200);
    expectSound(await receiptsOf(daemon.client, jobId), "in time", PROMPT);
  });

  it("keeps its job as long as it sends heartbeats", async () => {
    const { clock, daemon, miner } = await bench();
    const jobId = await take(daemon, miner);
    for (let beat = 0; beat < 4; beat++) {
      clock.advance(20_000);
      expect((await miner.post("/v1/miners/heartbeat", { inflight: 1 })).status).toBe(200);
      await awaitSweep(daemon, clock);
    }
    expect((await daemon.client.getJob(jobId)).attempts).toBe(1);
    expect((await resultOf(miner, jobId, "slow")).status).toBe(200);
  });

  it("was started anew: its heartbeat without work does not keep what it forgot", async () => {
    const { clock, daemon, miner } = await bench();
    const jobId = await take(daemon, miner);
    await join(daemon, "first");
    clock.advance(20_000);
    await miner.post("/v1/miners/heartbeat", { inflight: 0 });
    clock.advance(11_000);
    await waitForState(daemon.client, jobId, ({ state }) => state === "QUEUED");
  });

  it("is offline after 30 s of silence, and back with its next call", async () => {
    const { clock, daemon, miner } = await bench();
    const jobId = await submit(daemon);
    clock.advance(31_000);
    await waitForState(daemon.client, jobId, ({ queue }) => queue?.reason === "no miner is online");
    expect((await poll(miner)).body["job_id"]).toBe(jobId);
  });

  it("by a restart of the daemon hands in its result all the same, and registers again", async () => {
    const { daemon, miner } = await bench();
    const jobId = await take(daemon, miner);
    const next = await daemon.restart();
    expect((await miner.post("/v1/miners/heartbeat", { inflight: 1 })).status).toBe(404);
    expect((await resultOf(miner, jobId, "after all", 1)).status).toBe(200);
    expect((await resultOf(miner, jobId, "after all", 1)).status).toBe(200);
    expect((await next.client.getResult(jobId)).result.text).toBe("after all");
    const again = await join(next, "first");
    const second = await take(next, again);
    expect((await resultOf(again, second, "next")).status).toBe(200);
    const earned = await again.post("/v1/miners/first/earnings");
    expect(earned.body["completed_jobs"]).toBe(2);
  });

  it("by the end of its key gets nothing more, and its job waits again", async () => {
    const { clock, daemon } = await bench();
    const created = await daemon.admin.createKey({ kind: "miner", name: "leaving" });
    const miner = PlainCaller.miner(daemon, "first", created.key);
    const body = { capabilities: CAPABILITIES, concurrency: 2 };
    await miner.post("/v1/miners/register", body);
    const jobId = await take(daemon, miner);
    const waiting = poll(miner, 20);
    await miner.post("/v1/miners/heartbeat", { inflight: 1 });
    await daemon.admin.revokeKey(created.key_id);
    expect((await waiting).status).toBe(204);
    expect((await poll(miner)).status).toBe(401);
    clock.advance(6000);
    await waitForState(daemon.client, jobId, ({ state }) => state === "QUEUED");
  });
});

describe("a miner without a key", () => {
  it("is not given what another has begun: it cannot continue a text", async () => {
    const { clock, daemon, miner } = await bench({ "coordinator.reconnect_grace_seconds": "0" });
    const { job_id: jobId } = await daemon.client.submitJob(job(PROMPT));
    const keyed = await ScriptedMiner.join(daemon);
    await (await keyed.take()).deliver("begun ");
    keyed.disconnect();
    await waitForState(daemon.client, jobId, ({ state }) => state === "QUEUED");
    clock.advance(BACKOFF_MS);
    await awaitSweep(daemon, clock);
    expect((await poll(miner, 0)).status).toBe(204);
    const { queue } = await daemon.client.getJob(jobId);
    expect(queue).toMatchObject({
      miners_eligible: 0,
      reason: "1 miner online, none fits: keyless miners cannot continue a text that has begun",
    });
    const fresh = await submit(daemon);
    expect((await poll(miner)).body["job_id"]).toBe(fresh);
    const other = await ScriptedMiner.join(daemon);
    const work = await other.take();
    expect([work.lease.job_id, work.offer.prefix]).toEqual([jobId, "begun "]);
  });

  it("that fails again and again is left out for a while, and the job says so", async () => {
    const { clock, daemon, miner } = await bench();
    for (let failure = 0; failure < FAILURES_TO_QUARANTINE; failure++) {
      const jobId = await submit(daemon, { max_attempts: 1 });
      expect((await poll(miner)).body["job_id"]).toBe(jobId);
      const body = { error_code: "OOM", error_message: "out of memory" };
      await miner.post(`/v1/miners/${jobId}/fail`, body);
      // The model is left out sooner than the miner, and tried again after its time.
      if (failure < FAILURES_TO_QUARANTINE - 1) clock.advance(OPEN_CAP_MS);
    }
    const jobId = await submit(daemon);
    expect((await poll(miner, 0)).status).toBe(204);
    const { queue } = await daemon.client.getJob(jobId);
    expect(queue).toMatchObject({ miners_online: 1, miners_eligible: 0 });
    expect(queue?.reason).toMatch(/left out for another \d+ s: 5 attempts failed .* OOM: out of memory/);
    const listed = await new PlainCaller(daemon.url, daemon.keys.admin).get("/v1/admin/miners");
    expect(listed.body["items"]).toMatchObject([
      { miner_id: expect.stringMatching(/^keyless-/), status: expect.any(String), jobs_failed: 5 },
    ]);
    expect(JSON.stringify(listed.body)).toMatch(/quarantined.*left out for another/i);
    clock.advance(Math.max(QUARANTINE_BASE_MS, OPEN_CAP_MS));
    expect((await poll(miner)).body["job_id"]).toBe(jobId);
  });
});
