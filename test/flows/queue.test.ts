import { describe, expect, it } from "vitest";
import { createSystemClock } from "../../src/kernel/clock.ts";
import { TestClock } from "../harness/clock.ts";
import { bootDaemon } from "../harness/daemon.ts";
import { codeOf } from "../harness/database.ts";
import { readStream, waitForState } from "../harness/events.ts";
import { job } from "../harness/jobs.ts";
import { ScriptedMiner, TEST_MODEL } from "../harness/scripted-miner.ts";

const MS_PER_HOUR = 3_600_000;

describe("a job that waits", () => {
  it("says why, and how many stand before it", async () => {
    const daemon = await bootDaemon();
    const { client } = daemon;
    const first = await client.submitJob(job("a"));
    const second = await client.submitJob(job("b"));
    const reasonOf = async (jobId: string) => (await client.getJob(jobId)).queue;
    expect(await reasonOf(first.job_id)).toMatchObject({
      position: 1,
      miners_online: 0,
      reason: "no miner is online",
    });
    expect(await reasonOf(second.job_id)).toMatchObject({ position: 2, miners_eligible: 0 });
    const special = await client.submitJob({ payload: { type: "inference", prompt: "c", model: "llama9" } });
    const miner = await ScriptedMiner.join(daemon);
    await miner.take();
    expect(await reasonOf(special.job_id)).toMatchObject({
      position: 1,
      miners_online: 1,
      miners_eligible: 0,
      reason: "1 miner online, none fits: no model llama9",
    });
    expect(await reasonOf(second.job_id)).toMatchObject({
      position: 1,
      miners_eligible: 1,
      reason: "1 miner online, 1 can run it when a slot is free",
    });
    expect(await reasonOf(first.job_id)).toBeUndefined();
  });

  it("goes to a miner that has its model, and to no other", async () => {
    const daemon = await bootDaemon();
    const { client } = daemon;
    const other = await ScriptedMiner.join(daemon, { models: ["other"] });
    const named = await client.submitJob({ payload: { type: "inference", prompt: "a", model: TEST_MODEL } });
    const fitting = await ScriptedMiner.join(daemon);
    const work = await fitting.take();
    expect(work.lease.job_id).toBe(named.job_id);
    expect(work.offer.terms.model).toBe(TEST_MODEL);
    expect(other.all("offer")).toEqual([]);
    const any = await client.submitJob(job("b"));
    const anywhere = await other.take();
    expect(anywhere.lease.job_id).toBe(any.job_id);
    expect(anywhere.offer.terms.model).toBe("other");
  });

  it("is taken by priority, then by age", async () => {
    const daemon = await bootDaemon();
    const submitted: string[] = [];
    for (const priority of [1, 3, 0, 3]) {
      submitted.push((await daemon.client.submitJob(job("a", { priority }))).job_id);
    }
    const miner = await ScriptedMiner.join(daemon, { register: { slots: 4 } });
    const taken: string[] = [];
    for (const _ of submitted) taken.push((await miner.take()).lease.job_id);
    expect(taken.map((id) => submitted.indexOf(id))).toEqual([1, 3, 0, 2]);
  });

  it("is canceled at once, charges nothing and leaves no receipt", async () => {
    const daemon = await bootDaemon();
    const { client } = daemon;
    const { job_id } = await client.submitJob(job("a"));
    expect(await client.cancelJob(job_id)).toMatchObject({ state: "CANCELED", units: 0, price_uait: "0" });
    expect(await codeOf(client.cancelJob(job_id))).toBe("CONFLICT_STATE");
    expect(await codeOf(client.getReceipt(job_id))).toBe("RECEIPT_NOT_FOUND");
    expect((await readStream(client, job_id)).end).toMatchObject({ state: "CANCELED", receipt_id: null });
    const miner = await ScriptedMiner.join(daemon);
    const next = await client.submitJob(job("b"));
    expect((await miner.take()).lease.job_id).toBe(next.job_id);
  });
});

describe("time", () => {
  it("expires a job that nobody took, and only it", async () => {
    const clock = new TestClock();
    const daemon = await bootDaemon({ clock });
    const { client } = daemon;
    const short = await client.submitJob(job("a", { ttl_seconds: 60 }));
    const long = await client.submitJob(job("b", { ttl_seconds: 120 }));
    clock.advance(61_000);
    expect((await readStream(client, short.job_id)).end).toMatchObject({
      state: "EXPIRED",
      error: "JOB_EXPIRED: no miner took it in time",
    });
    expect((await client.getJob(long.job_id)).state).toBe("QUEUED");
    expect(await codeOf(client.getResult(short.job_id))).toBe("CONFLICT_STATE");
  });

  it("does not expire a job that was claimed once, however long it waits for another attempt", async () => {
    const clock = new TestClock();
    const daemon = await bootDaemon({ clock });
    const { client } = daemon;
    const { job_id } = await client.submitJob(job("a", { ttl_seconds: 60 }));
    const miner = await ScriptedMiner.join(daemon);
    (await miner.take()).fail("ENGINE_FAILED", true);
    await waitForState(client, job_id, ({ state, attempt }) => state === "QUEUED" && attempt === 1);
    miner.disconnect();
    await miner.ended();
    clock.advance(MS_PER_HOUR);
    const other = await ScriptedMiner.join(daemon);
    const work = await other.take();
    expect(work.lease).toEqual({ job_id, token: 2 });
  });

  it("ends a job that runs longer than it may, for good", async () => {
    const clock = new TestClock();
    const daemon = await bootDaemon({ clock, settings: { "coordinator.lease_seconds": "600" } });
    const { client } = daemon;
    const { job_id } = await client.submitJob(job("a", { max_run_seconds: 100 }));
    const miner = await ScriptedMiner.join(daemon);
    const work = await miner.take();
    expect(work.offer.deadline_ms).toBeLessThanOrEqual(100_000);
    await work.deliver("so far");
    clock.advance(101_000);
    expect((await miner.next("cancel")).job_id).toBe(job_id);
    const { text, end } = await readStream(client, job_id);
    expect(end).toMatchObject({ state: "FAILED", error: "TIMEOUT: the job ran longer than 100 s" });
    expect(text).toBe("so far");
    expect((await client.getResult(job_id)).result).toMatchObject({ text, partial: true });
  });

  it("loses the lease of a miner that says nothing, and keeps that of one that does", async () => {
    const clock = new TestClock();
    const daemon = await bootDaemon({ clock, settings: { "coordinator.lease_seconds": "30" } });
    const { client } = daemon;
    const silent = await ScriptedMiner.join(daemon);
    const speaking = await ScriptedMiner.join(daemon);
    const one = await client.submitJob(job("a"));
    const two = await client.submitJob(job("b"));
    const works = [await silent.take(), await speaking.take()];
    expect(new Set(works.map(({ lease }) => lease.job_id))).toEqual(new Set([one.job_id, two.job_id]));
    // Answered in order: once this is refused, what was sent before it has counted.
    const settle = async (miner: ScriptedMiner): Promise<void> => {
      miner.send({ type: "chunk", job_id: "0".repeat(32), token: 1, offset: 0, text: "x" });
      await miner.next("fenced");
    };
    await settle(silent);
    clock.advance(20_000);
    const [lost, kept] = works.map(({ lease }) => lease);
    speaking.send({ type: "heartbeat", running: kept ? [kept] : [] });
    await settle(speaking);
    clock.advance(20_000);
    expect(await works[0]?.fenced()).toMatchObject({ code: "STALE_LEASE" });
    expect(lost && (await client.getJob(lost.job_id)).error).toBe(
      "LEASE_LOST: the miner gave no sign of life",
    );
    expect(kept && (await client.getJob(kept.job_id)).state).toBe("RUNNING");
  });

  it.each([
    ["forward", MS_PER_HOUR],
    ["back", -MS_PER_HOUR],
  ])("a wall clock that jumps an hour %s expires nothing, and old jobs stay old", async (_name, jump) => {
    let ahead = 0;
    const clock = createSystemClock(() => Date.now() + ahead);
    const daemon = await bootDaemon({ clock, settings: { "coordinator.lease_seconds": "2" } });
    const { client } = daemon;
    const running = await client.submitJob(job("a", { max_run_seconds: 30 }));
    const miner = await ScriptedMiner.join(daemon);
    const work = await miner.take();
    const waiting = await client.submitJob(job("b", { ttl_seconds: 30 }));
    const doomed = await client.submitJob(job("c", { ttl_seconds: 1 }));
    ahead = jump;
    // The job of one second is the event that shows that the queue was swept after the jump, and that real time counts.
    miner.send({ type: "heartbeat", running: [work.lease] });
    expect((await readStream(client, doomed.job_id)).end?.state).toBe("EXPIRED");
    expect((await client.getJob(waiting.job_id)).state).toBe("QUEUED");
    expect((await client.getJob(running.job_id)).state).toBe("RUNNING");
    await work.deliver("done");
    work.complete();
    expect((await readStream(client, running.job_id)).end?.state).toBe("COMPLETED");
  });
});
