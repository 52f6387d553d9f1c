import { describe, expect, it } from "vitest";
import { generateKeyPair } from "../../src/crypto/ed25519.ts";
import { sha256Hex } from "../../src/crypto/hash.ts";
import type { Receipt } from "../../src/domain/receipt/fields.ts";
import { TestClock } from "../harness/clock.ts";
import { bootDaemon, type TestDaemon } from "../harness/daemon.ts";
import { readStream, waitForState } from "../harness/events.ts";
import { expectSound, failures, job, receiptsOf, verify } from "../harness/jobs.ts";
import { ScriptedMiner, type Work } from "../harness/scripted-miner.ts";

interface Bench {
  readonly clock: TestClock;
  readonly daemon: TestDaemon;
  readonly miner: ScriptedMiner;
  readonly jobId: string;
  readonly work: Work;
}

const PROMPT = "write something";

/** A daemon with one job in the hands of one scripted miner. */
async function bench(
  rest: Parameters<typeof job>[1] = {},
  settings: Readonly<Record<string, string>> = {},
): Promise<Bench> {
  const clock = new TestClock();
  const daemon = await bootDaemon({ clock, settings });
  const { job_id: jobId } = await daemon.client.submitJob(job(PROMPT, rest));
  const miner = await ScriptedMiner.join(daemon);
  return { clock, daemon, miner, jobId, work: await miner.take() };
}

/** Longest back-off after a first attempt, in ms, with room for the ones after it. */
const BACKOFF_MS = 4000;

/** Takes the same job again, once its back-off is over. */
function takeAgain(miner: ScriptedMiner, clock: TestClock): Promise<Work> {
  clock.advance(BACKOFF_MS);
  return miner.take();
}

/** Everything that is stored about a job. */
function rowsOf({ daemon, jobId }: Pick<Bench, "daemon" | "jobId">): unknown {
  return ["job", "chunk", "segment", "receipt", "queue"].map((table) =>
    daemon.query(`select * from coordinator_${table} where job_id = ? order by 1, 2`, jobId),
  );
}

describe("a lease", () => {
  it("whose answer comes twice at once is completed once, and both hear of the same receipt", async () => {
    const { daemon, miner, jobId, work } = await bench();
    await work.deliver("text");
    const receipt = work.receipt();
    for (let copy = 0; copy < 3; copy++) work.complete(receipt);
    const answers = [
      await miner.next("completed"),
      await miner.next("completed"),
      await miner.next("completed"),
    ];
    expect(new Set(answers.map((answer) => JSON.stringify(answer.receipt))).size).toBe(1);
    expect(miner.all("fenced")).toEqual([]);
    expect(await receiptsOf(daemon.client, jobId)).toEqual([answers[0]?.receipt]);
  });

  it("that a leaving miner hands back at once costs the job no attempt, and the miner gets no other", async () => {
    const { clock, daemon, miner: leaving, jobId, work } = await bench({ max_attempts: 1 });
    const message = "this miner takes no further jobs";
    leaving.send({ type: "reject", ...work.lease, code: "MINER_DRAINING", message });
    await waitForState(daemon.client, jobId, ({ state }) => state === "QUEUED");
    expect((await daemon.client.getJob(jobId)).attempts).toBe(0);
    const other = await ScriptedMiner.join(daemon);
    const again = await takeAgain(other, clock);
    expect(again.lease).toEqual({ job_id: jobId, token: 2 });
    await again.deliver("text");
    again.complete();
    await other.next("completed");
    expect(await daemon.client.getJob(jobId)).toMatchObject({ state: "COMPLETED", attempts: 1 });
    expect(leaving.all("offer")).toHaveLength(1);
  });

  it("that another attempt has replaced writes nothing: chunk, progress, complete, fail are fenced", async () => {
    const { clock, daemon, miner: late, jobId, work: old } = await bench();
    await old.deliver("first ");
    clock.advance(31_000);
    expect(await old.fenced()).toMatchObject({ code: "STALE_LEASE" });
    late.send({ type: "drain" });
    const other = await ScriptedMiner.join(daemon);
    const work = await takeAgain(other, clock);
    expect(work.lease).toEqual({ job_id: jobId, token: 2 });
    expect(work.offer.prefix).toBe("first ");
    await work.deliver("second");
    const before = rowsOf({ daemon, jobId });
    const frames: (() => void)[] = [
      () => old.chunk("late"),
      () => old.progress(),
      () => old.complete(),
      () => old.fail("ENGINE_FAILED", false),
    ];
    for (const send of frames) {
      send();
      expect(await old.fenced()).toMatchObject({ code: "STALE_LEASE" });
    }
    expect(rowsOf({ daemon, jobId })).toEqual(before);
    work.complete();
    await other.next("completed");
    const { text, end } = await readStream(daemon.client, jobId);
    expect([text, end?.state]).toEqual(["first second", "COMPLETED"]);
    const receipts = await receiptsOf(daemon.client, jobId);
    expectSound(receipts, text, PROMPT);
    expect(receipts).toHaveLength(2);
  });

  it("of another miner, or of a token that was never granted, cannot be used", async () => {
    const { daemon, jobId, work } = await bench();
    const thief = await ScriptedMiner.join(daemon);
    await work.deliver("mine ");
    const before = rowsOf({ daemon, jobId });
    for (const token of [1, 2, 99]) {
      thief.send({ type: "chunk", job_id: jobId, token, offset: 5, text: "yours" });
      expect(await thief.next("fenced")).toMatchObject({ job_id: jobId, token, code: "STALE_LEASE" });
      thief.send({ type: "fail", job_id: jobId, token, code: "X", message: "", retryable: false });
      expect(await thief.next("fenced")).toMatchObject({ token, code: "STALE_LEASE" });
    }
    expect(rowsOf({ daemon, jobId })).toEqual(before);
  });

  it("that the same miner got anew is not written under its old token, over the same connection either", async () => {
    const { clock, daemon, miner, jobId, work: old } = await bench();
    await old.deliver("first ");
    old.fail("ENGINE_FAILED", true);
    await waitForState(daemon.client, jobId, ({ state }) => state === "QUEUED");
    const work = await takeAgain(miner, clock);
    expect(work.lease).toEqual({ job_id: jobId, token: 2 });
    const before = rowsOf({ daemon, jobId });
    for (const send of [() => old.chunk("late"), () => old.progress(), () => old.fail("X", false)]) {
      send();
      expect(await old.fenced()).toMatchObject({ token: 1, code: "STALE_LEASE" });
    }
    expect(rowsOf({ daemon, jobId })).toEqual(before);
    await work.deliver("second");
    work.complete();
    await miner.next("completed");
    const { text } = await readStream(daemon.client, jobId);
    expect(text).toBe("first second");
  });

  it("is completed once: the same answer again gets the same receipt, another one is refused", async () => {
    const { daemon, miner, jobId, work } = await bench();
    await work.deliver("answer");
    const receipt = work.receipt();
    work.complete(receipt);
    const completed = await miner.next("completed");
    const before = rowsOf({ daemon, jobId });
    work.complete(receipt);
    expect(await miner.next("completed")).toEqual(completed);
    work.complete(work.receipt((good) => ({ ...good, duration_ms: good.duration_ms + 1 })));
    expect(await work.fenced()).toMatchObject({ code: "STALE_LEASE" });
    work.chunk("more");
    expect(await work.fenced()).toMatchObject({ code: "STALE_LEASE" });
    expect(rowsOf({ daemon, jobId })).toEqual(before);
    expect(await daemon.client.getReceipt(jobId)).toEqual(completed.receipt);
    expect(failures(verify(completed.receipt, "answer"))).toEqual([]);
  });

  it("is not completed by a receipt that text has overtaken: receipts always cover what is stored", async () => {
    const { daemon, miner, clock, jobId, work } = await bench();
    await work.deliver("answer");
    work.complete();
    work.chunk(" and more");
    expect(await work.fenced()).toMatchObject({ code: "PROTOCOL_VIOLATION" });
    const retry = await takeAgain(miner, clock);
    retry.complete();
    await miner.next("completed");
    const { text } = await readStream(daemon.client, jobId);
    const receipts = await receiptsOf(daemon.client, jobId);
    expectSound(receipts, text, PROMPT);
    for (const receipt of receipts) expect(failures(verify(receipt, text))).toEqual([]);
  });

  it("canceled by the client tells the miner to stop, and settles what was delivered", async () => {
    const { daemon, miner, jobId, work } = await bench();
    await work.deliver("some of it");
    const view = await daemon.client.cancelJob(jobId);
    expect(view).toMatchObject({ state: "CANCELED", delivered_bytes: 10 });
    expect(await miner.next("cancel")).toMatchObject(work.lease);
    work.chunk("more");
    expect(await work.fenced()).toMatchObject({ code: "STALE_LEASE" });
    const { result, receipt } = await daemon.client.getResult(jobId);
    expect(result).toMatchObject({ text: "some of it", partial: true });
    expectSound([receipt ?? {}], "some of it", PROMPT);
    // The slot is free: the next job comes.
    const next = await daemon.client.submitJob(job("next"));
    expect((await miner.take()).lease.job_id).toBe(next.job_id);
  });
});

describe("a lie in a receipt", () => {
  const lies: [string, (receipt: Receipt) => Receipt][] = [
    ["units", (good) => ({ ...good, units: good.units + 1 })],
    ["price", (good) => ({ ...good, price: good.price + 1 })],
    ["client", (good) => ({ ...good, client: "somebody-else" })],
    ["provider", (good) => ({ ...good, provider: "somebody-else" })],
    ["model", (good) => ({ ...good, model: "gpt-9" })],
    ["artifact_hash", (good) => ({ ...good, artifact_hash: `sha256:${sha256Hex("other")}` })],
    ["prompt_hash", (good) => ({ ...good, prompt_hash: `sha256:${sha256Hex("other")}` })],
    ["time", (good) => ({ ...good, completed_at: good.completed_at + 3600 })],
    ["duration", (good) => ({ ...good, duration_ms: good.duration_ms + 3_600_000 })],
    [
      "end_byte",
      (good) => ({ ...good, metadata: { ...good.metadata, end_byte: good.metadata.end_byte + 4 } }),
    ],
    ["terms", (good) => ({ ...good, metadata: { ...good.metadata, terms_hash: sha256Hex("other") } })],
  ];

  it.each(lies)("about %s is refused, and the job goes to another attempt", async (_name, lie) => {
    const { clock, daemon, miner, jobId, work } = await bench();
    await work.deliver("text");
    work.complete(work.receipt(lie));
    expect(await work.fenced()).toMatchObject({ code: "INVALID_RECEIPT" });
    const retry = await takeAgain(miner, clock);
    expect(retry.lease).toEqual({ job_id: jobId, token: 2 });
    expect(retry.offer.prefix).toBe("text");
    retry.complete();
    await miner.next("completed");
    const receipts = await receiptsOf(daemon.client, jobId);
    expectSound(receipts, "text", PROMPT);
    for (const receipt of receipts) expect(failures(verify(receipt, "text"))).toEqual([]);
  });

  const forgeries: [string, (receipt: Receipt, work: Work) => Receipt][] = [
    ["another key", (_, work) => work.receipt(undefined, generateKeyPair())],
    [
      "a broken signature",
      ({ signature, ...rest }) => ({
        ...rest,
        ...(signature && { signature: { ...signature, sig: broken(signature.sig) } }),
      }),
    ],
    ["no signature", ({ signature: _, ...rest }) => rest],
  ];
  it.each(forgeries)("about its signer is refused: %s", async (_, forge) => {
    const { clock, daemon, miner, jobId, work } = await bench();
    await work.deliver("text ");
    work.complete(forge(work.receipt(), work));
    expect(await work.fenced()).toMatchObject({ code: "INVALID_SIGNATURE" });
    const again = await takeAgain(miner, clock);
    expect(again.lease.token).toBe(2);
    again.complete();
    await miner.next("completed");
    expectSound(await receiptsOf(daemon.client, jobId), "text ", PROMPT);
  });
});

/** The signature with another first character. */
function broken(sig: string): string {
  return (sig.startsWith("A") ? "B" : "A") + sig.slice(1);
}

describe("a miner that breaks the protocol of delivery", () => {
  const breaches: [string, (work: Work) => void][] = [
    ["a gap", (work) => work.chunk("x", 9)],
    ["an overlap", (work) => work.chunk("xyz", 2)],
    ["more than the output may have", (work) => work.chunk("x".repeat(60))],
    ["progress with a wrong hash", (work) => work.progress({ running_sha256: sha256Hex("other") })],
    ["progress with too many units", (work) => work.progress({ units: 1_000 })],
    ["progress about bytes that never came", (work) => work.progress({ bytes: 40 })],
    ["progress about other terms", (work) => work.progress({ terms_hash: sha256Hex("other") })],
    [
      "progress with a broken signature",
      (work) => work.progress({}, (sig) => sig.with(0, (sig[0] ?? 0) ^ 1)),
    ],
  ];

  it.each(breaches)(
    "by %s loses the lease; the job waits again and keeps what was good",
    async (_name, breach) => {
      const { clock, daemon, miner, jobId, work } = await bench({}, { "coordinator.max_output_bytes": "50" });
      await work.deliver("good");
      breach(work);
      expect(await work.fenced()).toMatchObject({ code: "PROTOCOL_VIOLATION" });
      const retry = await takeAgain(miner, clock);
      expect(retry.lease).toEqual({ job_id: jobId, token: 2 });
      expect(retry.offer.prefix).toBe("good");
      await retry.deliver(" end");
      retry.complete();
      await miner.next("completed");
      const { text } = await readStream(daemon.client, jobId);
      expect(text).toBe("good end");
      expectSound(await receiptsOf(daemon.client, jobId), text, PROMPT);
    },
  );

  it("by a forged statement that follows a good one at once loses the lease, and keeps the good one", async () => {
    const { clock, daemon, miner, jobId, work } = await bench();
    await work.deliver("good ");
    work.progress();
    await work.deliver("text");
    work.progress({}, (sig) => sig.with(0, (sig[0] ?? 0) ^ 1));
    expect(await work.fenced()).toMatchObject({ code: "PROTOCOL_VIOLATION" });
    const retry = await takeAgain(miner, clock);
    retry.complete();
    await miner.next("completed");
    const receipts = await receiptsOf(daemon.client, jobId);
    expectSound(receipts, "good text", PROMPT);
    expect(receipts[0]).toMatchObject({ metadata: { progress: { bytes: 5 } } });
  });

  it("and fails right after a statement has all that it stated proven", async () => {
    const { clock, daemon, miner, jobId, work } = await bench();
    for (const text of ["one ", "two ", "three"]) {
      await work.deliver(text);
      work.progress();
    }
    work.fail("ENGINE_FAILED", true);
    const retry = await takeAgain(miner, clock);
    retry.complete();
    await miner.next("completed");
    const receipts = await receiptsOf(daemon.client, jobId);
    expectSound(receipts, "one two three", PROMPT);
    expect(receipts[0]).toMatchObject({ metadata: { progress: { bytes: 13, seq: 3 } } });
  });

  it("may repeat what was stored before", async () => {
    const { daemon, miner, jobId, work } = await bench();
    await work.deliver("one ");
    miner.send({ type: "chunk", ...work.lease, offset: 0, text: "one " });
    await work.deliver("two");
    work.complete();
    await miner.next("completed");
    expect((await readStream(daemon.client, jobId)).text).toBe("one two");
  });
});

describe("attempts", () => {
  it("end the job when they are used up; what was delivered is served as partial", async () => {
    const { clock, daemon, miner, jobId, work: first } = await bench({ max_attempts: 2 });
    await first.deliver("half ");
    first.fail("ENGINE_FAILED", true);
    await waitForState(daemon.client, jobId, ({ state }) => state === "QUEUED");
    const second = await takeAgain(miner, clock);
    await second.deliver("an answer");
    second.fail("ENGINE_FAILED", true);
    const { text, end } = await readStream(daemon.client, jobId);
    expect(end).toMatchObject({
      state: "FAILED",
      error: "ENGINE_FAILED: as the test wants",
      delivered_bytes: 14,
    });
    expect((await daemon.client.getResult(jobId)).result).toMatchObject({
      text: "half an answer",
      partial: true,
    });
    const receipts = await receiptsOf(daemon.client, jobId);
    expectSound(receipts, text, PROMPT);
    for (const receipt of receipts) expect(failures(verify(receipt, text))).toEqual([]);
  });

  it("are not repeated for an error that no repeat can help", async () => {
    const { daemon, jobId, work } = await bench();
    work.fail("INVALID_PAYLOAD", false);
    const { end } = await readStream(daemon.client, jobId);
    expect(end).toMatchObject({ state: "FAILED", receipt_id: null });
    expect(await daemon.client.getJob(jobId)).toMatchObject({ attempts: 1, units: 0, price_uait: "0" });
  });

  it("that delivered nothing leave no receipt, but the one that completes the job does", async () => {
    const { clock, daemon, miner, jobId, work } = await bench();
    work.fail("ENGINE_FAILED", true);
    await waitForState(daemon.client, jobId, ({ state }) => state === "QUEUED");
    const second = await takeAgain(miner, clock);
    second.complete();
    await miner.next("completed");
    const receipts = await receiptsOf(daemon.client, jobId);
    expect(receipts.map(({ receipt_id }) => receipt_id)).toEqual([`rcpt-${jobId}-2`]);
    expectSound(receipts, "", PROMPT);
  });
});
