import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { JobInput } from "../../src/client/client.ts";
import type { JobView } from "../../src/wire/jobs.ts";
import { bootDaemon, bootMiner, TestDaemon } from "../harness/daemon.ts";
import { readStream, readUntil } from "../harness/events.ts";
import { expectSound, failures, job, receiptsOf, verify } from "../harness/jobs.ts";
import { ScriptedMiner } from "../harness/scripted-miner.ts";

/** The model that ships with the program. */
const MODEL = "aitbc-tiny";
const PROMPT = "Tell me a story about a fox";
/** Greedy: the same model always writes the same answer. */
const STORY: JobInput = { payload: { type: "inference", prompt: PROMPT, model: MODEL, temperature: 0 } };
/** The model is quick: a few tries meet it before its end. */
const MAX_TRIES = 20;

describe("jobs on the real built-in engine", () => {
  let daemon: TestDaemon;
  beforeAll(async () => {
    daemon = await TestDaemon.start({ settings: { roles: "coordinator,miner", "miner.slots": "1" } });
  });
  afterAll(() => daemon[Symbol.asyncDispose]());

  it("streams an answer whose receipt verifies offline, with the keys of both sides", async () => {
    const { client } = daemon;
    const prompt = "What is 37 + 45?";
    const { job_id } = await client.submitJob(job(prompt));
    const { text, end } = await readStream(client, job_id);
    expect(text).toBe("37 + 45 = 82.");
    expect(end).toMatchObject({ state: "COMPLETED", finish_reason: "stop", delivered_bytes: 13 });
    const { result, receipt } = await client.getResult(job_id);
    expect(result).toMatchObject({ text, model: MODEL, segments: 1 });
    const receipts = await receiptsOf(client, job_id);
    expect(receipts).toEqual([receipt]);
    expectSound(receipts, text, prompt);
    const [first] = receipts;
    const minerKeys = [(first as { signature?: { key_id: string } } | undefined)?.signature?.key_id ?? ""];
    const pins = { coordinatorKeys: [daemon.coordinatorKey], minerKeys };
    expect(verify(first ?? {}, text, pins).verdict).toBe("verified");
    expect(verify(first ?? {}, text).verdict).toBe("signer_unknown");
    expect(verify(first ?? {}, text.replace("82", "83"), pins).verdict).toBe("invalid");
  });

  it("runs a job that names the model, and one that names none, on the same model", async () => {
    const { client } = daemon;
    for (const model of [MODEL, undefined]) {
      const payload = {
        type: "inference" as const,
        prompt: "What is the capital of Japan?",
        ...(model && { model }),
      };
      const { job_id } = await client.submitJob({ payload });
      const { text } = await readStream(client, job_id);
      expect(text).toBe("The capital of Japan is Tokyo.");
      expect((await client.getJob(job_id)).model).toBe(MODEL);
    }
  });

  it("stops the engine when a job is canceled mid-stream: the only slot is free again, and what came has a receipt", async () => {
    const { client } = daemon;
    let canceled: JobView | undefined;
    for (let tries = 0; tries < MAX_TRIES && !canceled; tries++) {
      const { job_id } = await client.submitJob(STORY);
      await readUntil(client, job_id, (event) => event.event === "chunk");
      canceled = await client.cancelJob(job_id).catch(() => undefined);
    }
    expect(canceled).toMatchObject({ state: "CANCELED" });
    const canceledAt = performance.now();
    const { job_id } = canceled ?? { job_id: "" };
    const next = await client.submitJob(job("Hello"));
    await readUntil(client, next.job_id, (event) => event.event === "chunk");
    expect(performance.now() - canceledAt).toBeLessThan(1000);
    expect(await daemon.metric('aitbc_miner_jobs_total{outcome="canceled"}')).toBe(1);
    const { result } = await client.getResult(job_id);
    expect(result.partial).toBe(true);
    const receipts = await receiptsOf(client, job_id);
    expectSound(receipts, result.text, PROMPT);
    for (const receipt of receipts) expect(failures(verify(receipt, result.text))).toEqual([]);
  });
});

describe("a miner that vanishes in the middle of an answer", () => {
  it("is followed by another, which goes on as if nobody had gone", async () => {
    const daemon = await bootDaemon({ settings: { "coordinator.reconnect_grace_seconds": "0" } });
    const { client } = daemon;
    const honest = await bootMiner(daemon);
    const whole = await readStream(client, (await client.submitJob(STORY)).job_id);
    await honest.daemon.stop();
    expect(whole.text.length).toBeGreaterThan(200);

    const { job_id } = await client.submitJob(STORY);
    const vanishing = await ScriptedMiner.join(daemon, { models: [MODEL] });
    const work = await vanishing.take();
    // Between words, where a real miner's text ends too: a token is never split.
    const [first, second] = [whole.text.indexOf(" ", 40), whole.text.indexOf(" ", 95)];
    await work.deliver(whole.text.slice(0, first));
    work.progress();
    await work.deliver(whole.text.slice(first, second));
    vanishing.disconnect();
    await bootMiner(daemon);

    const { text, end, seqs } = await readStream(client, job_id);
    expect(text).toBe(whole.text);
    expect(end?.state).toBe("COMPLETED");
    expect(seqs).toEqual(seqs.map((_seq, index) => index + 1));
    const receipts = await receiptsOf(client, job_id);
    expect(receipts.map(({ metadata }) => (metadata as { outcome: string }).outcome)).toEqual([
      "lease_lost",
      "completed",
    ]);
    expectSound(receipts, text, PROMPT);
    for (const receipt of receipts) expect(failures(verify(receipt, text))).toEqual([]);
    const view = await client.getJob(job_id);
    expect(view).toMatchObject({
      attempts: 2,
      state: "COMPLETED",
      units: Math.ceil(text.length / 4) + Math.ceil(PROMPT.length / 4),
    });
  });
});
