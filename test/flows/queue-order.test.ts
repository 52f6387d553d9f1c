import { describe, expect, it } from "vitest";
import { formatExplanation } from "../../src/cli/actions/explain.ts";
import type { Client } from "../../src/client/client.ts";
import { FAILURES_TO_OPEN, OPEN_BASE_MS } from "../../src/roles/coordinator/model-breaker.ts";
import type { MinerModel } from "../../src/wire/session.ts";
import { TestClock } from "../harness/clock.ts";
import { bootDaemon, type TestDaemon } from "../harness/daemon.ts";
import { codeOf } from "../harness/database.ts";
import { readStream, waitForState } from "../harness/events.ts";
import { job } from "../harness/jobs.ts";
import { ScriptedMiner, TEST_MODEL } from "../harness/scripted-miner.ts";

/** Tokens a second that the miners of these tests say they have measured. */
const SPEED = 100;

const modelOf = (name: string, rest: Partial<MinerModel> = {}): MinerModel => ({
  name,
  digest: "sha256:00",
  context_tokens: 1024,
  engine: "scripted",
  tokens_per_second: SPEED,
  features: ["text"],
  ...rest,
});

/** A miner with these models and slots. */
function joinWith(
  daemon: TestDaemon,
  { models = [modelOf(TEST_MODEL)], slots = 1, name = "scripted" } = {},
): Promise<ScriptedMiner> {
  const rest = { gpus: [], cuda: null, cpu: { name: "test", cores: 1 }, memory_mb: 1024, price: null };
  return ScriptedMiner.join(daemon, { register: { name, slots, capabilities: { ...rest, models } } });
}

const named = (model: string, prompt = "hello", rest: Parameters<typeof job>[1] = {}) => ({
  payload: { type: "inference" as const, prompt, model, max_tokens: 1000 },
  ...rest,
});

const submit = async (client: Client, input: Parameters<Client["submitJob"]>[0]): Promise<string> =>
  (await client.submitJob(input)).job_id;

/** Takes so many jobs, one after the other, and gives their ids. */
async function serve(miner: ScriptedMiner, count: number): Promise<string[]> {
  const served: string[] = [];
  for (let index = 0; index < count; index++) {
    const work = await miner.take();
    served.push(work.lease.job_id);
    work.complete();
  }
  return served;
}

describe("jobs of several clients", () => {
  it("take turns: one of a client that comes late is not behind a hundred of another", async () => {
    const daemon = await bootDaemon();
    for (let index = 0; index < 100; index++) await submit(daemon.client, named(TEST_MODEL));
    const stranger = await daemon.stranger();
    const late = await submit(stranger, named(TEST_MODEL));
    expect((await stranger.getJob(late)).queue?.position).toBeLessThanOrEqual(2);
    expect(await serve(await joinWith(daemon), 2)).toContain(late);
  });

  it("take turns also where one of them spreads its own over many kinds", async () => {
    const daemon = await bootDaemon();
    const models = Array.from({ length: 8 }, (_, index) => modelOf(`model-${index}`));
    for (let index = 0; index < 32; index++) await submit(daemon.client, named(`model-${index % 7}`));
    const stranger = await daemon.stranger();
    const theirs: string[] = [];
    for (let index = 0; index < 4; index++) theirs.push(await submit(stranger, named("model-7")));
    const served = await serve(await joinWith(daemon, { models }), 9);
    expect(theirs.filter((id) => served.includes(id))).toEqual(theirs);
  });

  it("keep their turns over a restart", async () => {
    const daemon = await bootDaemon();
    const mine: string[] = [];
    for (let index = 0; index < 20; index++) mine.push(await submit(daemon.client, named(TEST_MODEL)));
    const miner = await joinWith(daemon);
    await serve(miner, 9);
    const running = await miner.take();
    const next = await daemon.restart();
    const stranger = await next.stranger();
    const late = await submit(stranger, named(TEST_MODEL));
    const other = await joinWith(next);
    expect(await serve(other, 2)).toContain(late);
    expect(mine).toContain(running.lease.job_id);
  });

  it("run no more at once than each client may, and those behind are not held up", async () => {
    const daemon = await bootDaemon({ settings: { "coordinator.max_running_per_client": "2" } });
    const mine: string[] = [];
    for (let index = 0; index < 150; index++) {
      mine.push(await submit(daemon.client, named(TEST_MODEL, "x", { priority: 3 })));
    }
    const miner = await joinWith(daemon, { slots: 8 });
    const first = [await miner.take(), await miner.take()];
    expect(first.map(({ lease }) => lease.job_id)).toEqual(mine.slice(0, 2));
    const { queue } = await daemon.client.getJob(mine[2] ?? "");
    expect(queue).toMatchObject({
      reason: "its client runs 2 jobs, as many as it may at once",
      eta_p50_ms: null,
      eta_unknown: "its client runs 2 jobs, as many as it may at once",
    });
    // So low that all of the others stand before it.
    const theirs = await submit(await daemon.stranger(), named(TEST_MODEL, "x", { priority: 0 }));
    expect((await miner.take()).lease.job_id).toBe(theirs);
    first[0]?.complete();
    const third = await miner.take();
    expect(third.lease.job_id).toBe(mine[2]);
    expect(miner.all("offer").length).toBe(4);
    // What was brought back is canceled before a miner takes it: others of those set aside follow.
    const [, fourth = "", fifth = ""] = mine.slice(2);
    for (const id of [fourth, fifth]) await daemon.client.cancelJob(id);
    for (const work of [first[1], third]) work?.complete();
    expect([(await miner.take()).lease.job_id, (await miner.take()).lease.job_id]).toEqual(mine.slice(5, 7));
  });
});

describe("the expected wait", () => {
  it("is told with the position, and refuses at once what a deadline does not allow", async () => {
    const daemon = await bootDaemon();
    const { client } = daemon;
    const unknown = await submit(client, named(TEST_MODEL));
    expect((await client.getJob(unknown)).queue).toMatchObject({
      eta_p50_ms: null,
      eta_unknown: "no miner that can run it is at work",
    });
    const miner = await joinWith(daemon);
    await miner.take();
    const ids: string[] = [];
    for (let index = 0; index < 5; index++) ids.push(await submit(client, named(TEST_MODEL)));
    const { queue } = await client.getJob(ids[4] ?? "");
    // 1000 tokens at most, at 100 a second, five jobs before it.
    expect(queue?.position).toBe(5);
    expect(queue?.eta_p50_ms).toBeGreaterThan(20_000);
    expect(queue?.eta_p50_ms).toBeLessThan(70_000);
    expect(queue?.eta_p90_ms).toBeGreaterThanOrEqual(queue?.eta_p50_ms ?? 0);

    const jobs = daemon.rowCounts()["coordinator_job"];
    const post = (headers: Record<string, string>, body: object) =>
      fetch(`${daemon.url}/v1/jobs`, {
        method: "POST",
        headers: { "content-type": "application/json", "x-api-key": daemon.keys.client, ...headers },
        body: JSON.stringify(body),
      });
    const refused = await post({}, named(TEST_MODEL, "x", { deadline_seconds: 5 }));
    expect(refused.status).toBe(429);
    const waitSeconds = Number(refused.headers.get("retry-after"));
    expect(waitSeconds).toBeGreaterThan(10);
    const problem = await refused.json();
    expect(problem).toMatchObject({ code: "DEADLINE_UNREACHABLE", position: 6, deadline_ms: 5000 });
    expect(problem).toMatchObject({ eta_p50_ms: expect.any(Number), eta_p90_ms: expect.any(Number) });
    expect((await post({ "x-aitbc-deadline-ms": "5000" }, named(TEST_MODEL))).status).toBe(429);
    expect(daemon.rowCounts()["coordinator_job"]).toBe(jobs);

    const key = { "idempotency-key": "k", "x-aitbc-deadline-ms": "600000" };
    const accepted = await post(key, named(TEST_MODEL));
    expect(accepted.status).toBe(201);
    for (let index = 0; index < 5; index++) await submit(client, named(TEST_MODEL));
    // The same call again is the same job, whatever the queue has become and however little time is left.
    const again = await post({ ...key, "x-aitbc-deadline-ms": "1000" }, named(TEST_MODEL));
    expect([again.status, await again.json()]).toEqual([201, await accepted.json()]);
    expect(await daemon.metric("aitbc_coordinator_deadlines_refused_total")).toBe(2);
  });

  it("is compared with what came", async () => {
    const daemon = await bootDaemon();
    const miner = await joinWith(daemon);
    await submit(daemon.client, named(TEST_MODEL));
    const work = await miner.take();
    const id = await submit(daemon.client, named(TEST_MODEL));
    await daemon.client.getJob(id);
    work.complete();
    await miner.take();
    expect(await daemon.metric("aitbc_coordinator_eta_error_ratio_count")).toBeGreaterThanOrEqual(1);
  });
});

describe("a conversation", () => {
  const turn = (...said: readonly string[]) => ({
    payload: {
      type: "inference" as const,
      model: TEST_MODEL,
      messages: said.map((content, index) => ({
        role: index % 2 === 0 ? ("user" as const) : ("assistant" as const),
        content,
      })),
    },
  });

  it("goes back to the miner that holds its beginning, and others do not", async () => {
    const daemon = await bootDaemon();
    const { client } = daemon;
    const one = await joinWith(daemon, { slots: 4, name: "one" });
    await submit(client, turn("a"));
    const first = await one.take();
    const two = await joinWith(daemon, { slots: 4, name: "two" });
    // One is busier than two, though not by half of its slots.
    await submit(client, turn("a", "b", "c"));
    const second = await one.take();
    expect(await daemon.metric('aitbc_coordinator_prefix_affinity_total{outcome="hit"}')).toBe(1);
    await submit(client, turn("x"));
    await two.take();
    await submit(await daemon.stranger(), turn("a", "b", "c", "d", "e"));
    await two.take();
    for (const work of [first, second]) work.complete();
    const { text, leases } = await client.explainJob(second.lease.job_id);
    expect(leases[0]?.candidates).toMatchObject([
      { name: "one", holds_prefix: true, score: 1.25 },
      { name: "two", holds_prefix: false, score: 1 },
    ]);
    expect(text.join(" ")).toContain("it holds the conversation in memory");
  });

  it("goes to another one when its own is busier by more than half", async () => {
    const daemon = await bootDaemon();
    const { client } = daemon;
    const one = await joinWith(daemon, { slots: 1, name: "one" });
    await submit(client, turn("a"));
    await one.take();
    const two = await joinWith(daemon, { slots: 1, name: "two" });
    const later = await submit(client, turn("a", "b", "c"));
    expect((await two.take()).lease.job_id).toBe(later);
    expect(await daemon.metric('aitbc_coordinator_prefix_affinity_total{outcome="miss"}')).toBe(1);
  });
});

describe("a miner", () => {
  it("whose model is loaded goes before one that must load it", async () => {
    const daemon = await bootDaemon();
    await joinWith(daemon, { name: "cold", models: [modelOf(TEST_MODEL, { loaded: false })] });
    const warm = await joinWith(daemon, { name: "warm", models: [modelOf(TEST_MODEL, { loaded: true })] });
    const id = await submit(daemon.client, named(TEST_MODEL));
    expect((await warm.take()).lease.job_id).toBe(id);
  });

  it("on which a model fails gets no job for it until one has tried, and others for its other models", async () => {
    const clock = new TestClock();
    const daemon = await bootDaemon({ clock, settings: { "coordinator.lease_seconds": "600" } });
    const { client } = daemon;
    const miner = await joinWith(daemon, { models: [modelOf("bad"), modelOf("good")] });
    for (let failure = 0; failure < FAILURES_TO_OPEN; failure++) {
      const id = await submit(client, named("bad", "x", { max_attempts: 1 }));
      (await miner.take()).fail("ENGINE_FAILED", true);
      await readStream(client, id);
    }
    const waiting = await submit(client, named("bad"));
    const good = await submit(client, named("good"));
    const work = await miner.take();
    expect(work.lease.job_id).toBe(good);
    expect((await client.getJob(waiting)).queue).toMatchObject({
      miners_eligible: 0,
      reason: expect.stringMatching(
        /none fits: gets no job for model bad for another \d+ s: 3 attempts failed/,
      ),
    });
    clock.advance(OPEN_BASE_MS);
    work.complete();
    expect((await miner.take()).lease.job_id).toBe(waiting);
  });
});

describe("a job that named no model", () => {
  it("keeps the one it began with: no miner without it is asked after a failover", async () => {
    const daemon = await bootDaemon();
    const { client } = daemon;
    const first = await joinWith(daemon);
    const id = await submit(client, job("hello"));
    const work = await first.take();
    await work.deliver("begun ");
    const other = await joinWith(daemon, { models: [modelOf("other")], name: "other" });
    first.disconnect();
    await first.ended();
    work.fail("ENGINE_FAILED", true);
    await waitForState(client, id, ({ state }) => state === "QUEUED");
    expect((await client.getJob(id)).queue?.reason).toContain(`no model ${TEST_MODEL}`);
    const heir = await joinWith(daemon, { name: "heir" });
    const taken = await heir.take();
    expect([taken.lease, taken.offer.prefix]).toEqual([{ job_id: id, token: 2 }, "begun "]);
    expect(other.all("offer")).toEqual([]);
  });
});

describe("an explanation", () => {
  it("says in words and numbers why a job went to its miner, and why another waits", async () => {
    const daemon = await bootDaemon();
    const { client } = daemon;
    const cold = await joinWith(daemon, { name: "cold", models: [modelOf(TEST_MODEL, { loaded: false })] });
    const warm = await joinWith(daemon, { name: "warm", models: [modelOf(TEST_MODEL, { loaded: true })] });
    await joinWith(daemon, { name: "unfit", models: [modelOf("other")] });
    const id = await submit(client, named(TEST_MODEL));
    await warm.take();
    const { text, leases, queue } = await client.explainJob(id);
    expect(queue).toBeUndefined();
    expect(leases).toMatchObject([
      {
        token: 1,
        miner_id: warm.minerId,
        candidates: [
          { name: "warm", score: 1.75, is_warm: true, load: 0 },
          { name: "cold", score: 1, is_warm: false },
          { name: "unfit", score: null, why_not: `no model ${TEST_MODEL}` },
        ],
      },
    ]);
    expect(text).toEqual([
      expect.stringMatching(/^Lease 1 went to warm \(ait1\w+\) at /),
      expect.stringMatching(/^That was 0\.\d s after the submission/),
      "It scored 1.75, and no other of 2 miners that could run it scored higher: its model is loaded, 0 % of its slots were taken.",
      `unfit could not: no model ${TEST_MODEL}.`,
      "It runs now.",
    ]);
    await submit(client, named(TEST_MODEL));
    await cold.take();
    const waiting = await submit(await daemon.stranger(), named(TEST_MODEL));
    expect(await codeOf(client.explainJob(waiting))).toBe("JOB_NOT_FOUND");
    const { text: why, candidates } = await daemon.admin.explainJob(waiting);
    expect(candidates).toHaveLength(3);
    expect(why[0]).toMatch(/^It waits at position 1 .*2 can run it when a slot is free\.$/);
    expect(why[1]).toMatch(
      /^A miner should begin within \d+\.\d s, and within \d+\.\d s nine times of ten\.$/,
    );
    expect(why.join(" ")).not.toContain("client-");
    const printed = formatExplanation(await daemon.admin.explainJob(waiting));
    expect(printed).toMatch(/It waits at position 1.*MINER +SCORE +LOAD.*warm +\S+ +100 %.*unfit +- +0 %/s);
  });
});
