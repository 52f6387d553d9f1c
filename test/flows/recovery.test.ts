import { describe, expect, it } from "vitest";
import type { JobInput } from "../../src/client/client.ts";
import { TestClock } from "../harness/clock.ts";
import { bootDaemon, bootMiner } from "../harness/daemon.ts";
import { readStream, readUntil } from "../harness/events.ts";
import { expectSound, failures, job, receiptsOf, verify } from "../harness/jobs.ts";
import { ScriptedMiner } from "../harness/scripted-miner.ts";

const PROMPT = "go on";

describe("a restart of the coordinator", () => {
  it("keeps the lease of a miner that works on: it resumes at the stored byte and completes, with one receipt", async () => {
    const daemon = await bootDaemon();
    const { job_id } = await daemon.client.submitJob(job(PROMPT));
    const miner = await ScriptedMiner.join(daemon);
    const work = await miner.take();
    await work.deliver("stored ");
    work.progress();
    const next = await daemon.restart();
    await miner.ended();
    const back = await ScriptedMiner.join(next, { key: miner.key, register: { running: [work.lease] } });
    const [registered] = back.all("registered");
    expect(registered).toMatchObject({ resume: [{ ...work.lease, bytes: 7 }], lost: [] });
    work.moveTo(back);
    await work.deliver("and the rest");
    work.progress();
    work.complete();
    await back.next("completed");
    const { text, end } = await readStream(next.client, job_id);
    expect([text, end?.state]).toEqual(["stored and the rest", "COMPLETED"]);
    const receipts = await receiptsOf(next.client, job_id);
    expect(receipts).toHaveLength(1);
    expectSound(receipts, text, PROMPT);
    expect(failures(verify(receipts[0] ?? {}, text))).toEqual([]);
    expect((await next.client.getJob(job_id)).attempts).toBe(1);
  });

  it("gives a running lease a full term, then gives the job to another miner", async () => {
    const clock = new TestClock();
    const daemon = await bootDaemon({ clock });
    const { job_id } = await daemon.client.submitJob(job(PROMPT));
    const miner = await ScriptedMiner.join(daemon);
    const work = await miner.take();
    await work.deliver("first ");
    const next = await daemon.restart();
    clock.advance(29_000);
    expect((await next.client.getJob(job_id)).state).toBe("RUNNING");
    const other = await ScriptedMiner.join(next);
    clock.advance(2_000);
    await readUntil(next.client, job_id, (event) => event.event === "state" && event.data.state === "QUEUED");
    clock.advance(4_000);
    const rest = await other.take();
    expect([rest.lease.token, rest.offer.prefix]).toEqual([2, "first "]);
    await rest.deliver("second");
    rest.complete();
    await other.next("completed");
    const { text } = await readStream(next.client, job_id);
    expect(text).toBe("first second");
    expectSound(await receiptsOf(next.client, job_id), text, PROMPT);
  });

  it("tells a miner which of its leases are lost, and takes none that is not its own", async () => {
    const daemon = await bootDaemon();
    const { client } = daemon;
    const { job_id } = await client.submitJob(job(PROMPT));
    const miner = await ScriptedMiner.join(daemon);
    const work = await miner.take();
    const next = await daemon.restart();
    const stale = { job_id, token: 9 };
    const unknown = { job_id: "0".repeat(32), token: 1 };
    const thief = await ScriptedMiner.join(next, { register: { running: [work.lease] } });
    expect(thief.all("registered")[0]).toMatchObject({ resume: [], lost: [work.lease] });
    const back = await ScriptedMiner.join(next, { key: miner.key, register: { running: [stale, unknown] } });
    expect(back.all("registered")[0]).toMatchObject({ resume: [], lost: [stale, unknown] });
  });

  it("leaves a job alone whose meter it lacks, serves the others, and takes it up when it has the meter again", async () => {
    const daemon = await bootDaemon();
    const { job_id } = await daemon.client.submitJob(job(PROMPT));
    const miner = await ScriptedMiner.join(daemon);
    const work = await miner.take();
    await work.deliver("stored ");
    // As a lease looks that a program with another tokenizer has granted.
    const other = `tok:${"0".repeat(64)}`;
    await daemon.daemon.stop();
    daemon.change("update coordinator_segment set terms = replace(terms, 'bytes/4', ?)", other);
    const without = await daemon.restart();
    const { client } = without;
    expect(await client.getJob(job_id)).toMatchObject({ state: "RUNNING", attempts: 1 });
    await expect(client.cancelJob(job_id)).rejects.toMatchObject({
      code: "CONFLICT_STATE",
      message: expect.stringContaining(other),
    });
    const back = await ScriptedMiner.join(without, { key: miner.key, register: { running: [work.lease] } });
    expect(back.all("registered")[0]).toMatchObject({ resume: [], lost: [work.lease] });
    const next = await client.submitJob(job("another"));
    const served = await back.take();
    expect(served.lease.job_id).toBe(next.job_id);
    await served.deliver("served");
    served.complete();
    await back.next("completed");
    await without.daemon.stop();
    without.change("update coordinator_segment set terms = replace(terms, ?, 'bytes/4')", other);
    const having = await without.restart();
    const again = await ScriptedMiner.join(having, { key: miner.key, register: { running: [work.lease] } });
    expect(again.all("registered")[0]).toMatchObject({ resume: [{ ...work.lease, bytes: 7 }], lost: [] });
    work.moveTo(again);
    await work.deliver("and the rest");
    work.complete();
    await again.next("completed");
    const { text } = await readStream(having.client, job_id);
    expect(text).toBe("stored and the rest");
    expectSound(await receiptsOf(having.client, job_id), text, PROMPT);
  });

  it("loses no job that waits, and no answer of one that has ended", async () => {
    const daemon = await bootDaemon();
    const waiting = await daemon.client.submitJob(job("waits"));
    const miner = await ScriptedMiner.join(daemon);
    const work = await miner.take();
    await work.deliver("done");
    work.complete();
    await miner.next("completed");
    const result = await daemon.client.getResult(waiting.job_id);
    miner.disconnect();
    await miner.ended();
    const queued = await daemon.client.submitJob(job("still waits"));
    const next = await daemon.restart();
    expect(await next.client.getResult(waiting.job_id)).toEqual(result);
    expect((await next.client.getJob(queued.job_id)).queue?.position).toBe(1);
    expect(await next.metric("aitbc_coordinator_jobs_queued")).toBe(1);
    const again = await ScriptedMiner.join(next, { key: miner.key });
    expect((await again.take()).lease.job_id).toBe(queued.job_id);
  });
});

describe("a connection that breaks", () => {
  it("costs a miner nothing when it comes back in time", async () => {
    const daemon = await bootDaemon();
    const { job_id } = await daemon.client.submitJob(job(PROMPT));
    const miner = await ScriptedMiner.join(daemon);
    const work = await miner.take();
    await work.deliver("one ");
    miner.disconnect();
    await miner.ended();
    const back = await ScriptedMiner.join(daemon, { key: miner.key, register: { running: [work.lease] } });
    expect(back.all("registered")[0]?.resume).toEqual([{ ...work.lease, bytes: 4 }]);
    work.moveTo(back);
    await work.deliver("two");
    work.complete();
    await back.next("completed");
    const { text } = await readStream(daemon.client, job_id);
    expect(text).toBe("one two");
    expect(await receiptsOf(daemon.client, job_id)).toHaveLength(1);
  });

  it("of a miner that comes back without its job ends the lease at once, not after its term", async () => {
    const daemon = await bootDaemon({ settings: { "coordinator.lease_seconds": "600" } });
    const { job_id } = await daemon.client.submitJob(job(PROMPT));
    const miner = await ScriptedMiner.join(daemon);
    await (await miner.take()).deliver("one ");
    // Started anew after a crash: the same identity, and no memory of what it did.
    const next = await daemon.restart();
    const back = await ScriptedMiner.join(next, { key: miner.key });
    const work = await back.take();
    expect(work.lease).toEqual({ job_id, token: 2 });
    await work.deliver("two");
    work.complete();
    await back.next("completed");
    const { text } = await readStream(next.client, job_id);
    expect(text).toBe("one two");
    expectSound(await receiptsOf(next.client, job_id), text, PROMPT);
  });

  it("is replaced by a second one of the same miner: the first is closed", async () => {
    const daemon = await bootDaemon();
    const miner = await ScriptedMiner.join(daemon);
    await ScriptedMiner.join(daemon, { key: miner.key });
    expect(await miner.ended()).toBe("the miner has connected again");
    expect(await daemon.metric("aitbc_coordinator_miners_online")).toBe(1);
  });

  it("is mended by the real miner, whose answers arrive after a restart of the coordinator", async () => {
    const prompt = "Tell me a story about a fox";
    const story: JobInput = { payload: { type: "inference", prompt, temperature: 0 } };
    const daemon = await bootDaemon();
    await bootMiner(daemon, { "miner.slots": "4" });
    // More than the slots take at once: the restart falls among jobs that run, end and wait.
    const views = await Promise.all(Array.from({ length: 12 }, () => daemon.client.submitJob(story)));
    await readUntil(daemon.client, views[0]?.job_id ?? "", (event) => event.event === "chunk");
    const next = await daemon.restart();
    const readings = await Promise.all(views.map(({ job_id }) => readStream(next.client, job_id)));
    expect(readings.map(({ end }) => end?.state)).toEqual(views.map(() => "COMPLETED"));
    expect(new Set(readings.map(({ text }) => text)).size).toBe(1);
    for (const [index, { job_id }] of views.entries()) {
      const { text } = readings[index] ?? { text: "" };
      const receipts = await receiptsOf(next.client, job_id);
      expect(receipts).toHaveLength(1);
      expectSound(receipts, text, prompt);
      expect(failures(verify(receipts[0] ?? {}, text))).toEqual([]);
    }
  });
});
