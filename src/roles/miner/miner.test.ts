import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { PlannedEngine } from "../../../test/harness/planned-engine.ts";
import { type FrameOf, ScriptedCoordinator } from "../../../test/harness/scripted-coordinator.ts";
import { addressOfKey } from "../../crypto/address.ts";
import { fromBase64Url } from "../../crypto/bytes.ts";
import { sha256Hex } from "../../crypto/hash.ts";
import { type Terms, termsHash } from "../../domain/job/terms.ts";
import { buildReceipt } from "../../domain/receipt/build.ts";
import { compareReceipt } from "../../domain/receipt/compare.ts";
import { receiptFromJson } from "../../domain/receipt/parse.ts";
import { verifyProgress } from "../../domain/receipt/progress.ts";
import { canonicalReceipt, verifyBlock } from "../../domain/receipt/sign.ts";
import { createSystemClock } from "../../kernel/clock.ts";
import { AppError } from "../../kernel/errors.ts";
import { systemRandomBytes } from "../../kernel/ids.ts";
import { createLog } from "../../kernel/log.ts";
import { createMetrics, type Metrics } from "../../kernel/metrics.ts";
import { MinerConfig } from "./config.ts";
import { Miner } from "./miner.ts";

const log = createLog({ level: "silent", format: "json", terminal: false });
const otherJob = `${"0".repeat(31)}2`;

let directory = "";
let coordinator: ScriptedCoordinator;
let engine: PlannedEngine;
let metrics: Metrics;
let stop: AbortController;
let miner: Miner;
let locked = 0;

async function startMiner(config: Partial<MinerConfig> = {}): Promise<void> {
  miner = new Miner({
    config: MinerConfig.parse({ name: "tester", drain_seconds: 0, ...config }),
    link: coordinator.link,
    log,
    metrics,
    clock: createSystemClock(),
    random: systemRandomBytes,
    identityFile: join(directory, "miner", "identity.key"),
    lockDirectory: () => {
      locked++;
      return { [Symbol.dispose]: () => void locked-- };
    },
    createEngines: async () => [engine],
  });
  await miner.start(stop.signal);
}

/** Starts a miner and waits for its session. */
async function open(config: Partial<MinerConfig> = {}): Promise<FrameOf<"register">> {
  await startMiner(config);
  return coordinator.next("register");
}

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "miner-"));
  coordinator = new ScriptedCoordinator();
  engine = new PlannedEngine();
  metrics = createMetrics();
  stop = new AbortController();
});
afterEach(async () => {
  await miner[Symbol.asyncDispose]();
  await rm(directory, { recursive: true });
});

/** Asserts that a complete frame's receipt is what the coordinator would build, signed by the miner. */
function expectGoodReceipt(terms: Terms, complete: FrameOf<"complete">, prefix: string, text: string): void {
  const receipt = receiptFromJson(complete.receipt);
  const register = coordinator.all("register")[0];
  const minerKey = fromBase64Url("public_key", register?.public_key ?? "");
  const expected = buildReceipt(terms, {
    provider: addressOfKey(minerKey),
    endsJob: true,
    outcome: "completed",
    end_byte: Buffer.byteLength(prefix + text),
    segment_sha256: sha256Hex(text),
    output_sha256: sha256Hex(prefix + text),
    completed_at: terms.started_at,
    duration_ms: 0,
  });
  expect(compareReceipt(expected, receipt)).toEqual([]);
  expect(receipt.signature?.key_id).toBe(register?.public_key);
  expect(receipt.signature && verifyBlock(receipt.signature, canonicalReceipt(receipt))).toBe(true);
}

function expectGoodProgress(terms: Terms, output: string): void {
  const minerKey = fromBase64Url("public_key", coordinator.all("register")[0]?.public_key ?? "");
  let seq = 0;
  for (const { progress, signature } of coordinator.all("progress")) {
    const covered = Buffer.from(output).subarray(0, progress.bytes);
    expect(progress.seq).toBe(++seq);
    expect(progress.terms_hash).toBe(termsHash(terms));
    expect(progress.running_sha256).toBe(sha256Hex(covered));
    expect(progress.units).toBe(Math.ceil(progress.bytes / 4) - Math.ceil(terms.start_byte / 4));
    expect(verifyProgress(progress, coordinator.realm, fromBase64Url("s", signature), minerKey)).toBe(true);
  }
}

describe("session", () => {
  it("proves the identity and tells what it offers", async () => {
    const register = await open({ slots: 3, region: "eu", price: 1.5 });
    expect(coordinator.isProven(register)).toBe(true);
    expect(register).toMatchObject({ name: "tester", region: "eu", payout: null, slots: 3, running: [] });
    expect(register.capabilities).toMatchObject({
      gpus: [],
      price: 1.5,
      models: [
        {
          name: "test",
          digest: "sha256:00",
          context_tokens: 1024,
          engine: "planned",
          tokens_per_second: null,
        },
      ],
    });
    expect(register.capabilities.cpu.cores).toBeGreaterThan(0);
  });

  it("sends heartbeats that name its leases", async () => {
    coordinator.heartbeatMs = 5;
    await open();
    const { job_id, token } = coordinator.offer();
    await coordinator.next("start");
    expect((await coordinator.next("heartbeat")).running).toEqual([{ job_id, token }]);
  });

  it("refuses a coordinator whose id is not its key's address, and tries again", async () => {
    const { id } = coordinator;
    Object.assign(coordinator, { id: addressOfKey(new ScriptedCoordinator().key.publicKey) });
    await startMiner();
    await coordinator.until(() => coordinator.opens === 2);
    expect(coordinator.frames).toEqual([]);
    Object.assign(coordinator, { id });
    await coordinator.next("register");
  });

  it("comes back for ever when nothing listens", async () => {
    coordinator.refusal = new AppError("UNREACHABLE", "nothing listens");
    await startMiner();
    await coordinator.until(() => coordinator.opens === 3);
    expect(miner.ready()).toBe(false);
    coordinator.refusal = undefined;
    await coordinator.next("register");
    coordinator.offer();
    await coordinator.next("start");
    expect(miner.ready()).toBe(true);
  });

  it("ends a connection that sends nonsense and opens another", async () => {
    await open();
    coordinator.send({ type: "registered", miner_id: coordinator.id, heartbeat_ms: 1, resume: [], lost: [] });
    await coordinator.next("register");
    expect(coordinator.opens).toBe(2);
  });
});

describe("job", () => {
  it("goes from offer to a receipt that the domain accepts", async () => {
    await open();
    const terms = coordinator.offer({ terms: { progress_units: 4 } });
    await coordinator.next("start");
    const run = await engine.nth(0);
    expect(run.request).toMatchObject({
      model: "test",
      messages: [{ role: "user", content: "hello" }],
      prefix: "",
      temperature: 0,
    });
    for (const piece of ["Hello ", "wörld ", "😀 and ", "a bit more"]) await run.write(piece);
    run.end();
    const complete = await coordinator.next("complete");
    const text = "Hello wörld 😀 and a bit more";
    expect(coordinator.text()).toBe(text);
    expect(complete).toMatchObject({
      finish_reason: "stop",
      usage: { prompt_tokens: 3, completion_tokens: 7 },
    });
    expectGoodReceipt(terms, complete, "", text);
    expectGoodProgress(terms, text);
    // The last statement covers the whole answer, before the receipt does.
    expect(coordinator.all("progress").at(-1)?.progress.bytes).toBe(Buffer.byteLength(text));
    coordinator.confirm(complete);
    // Confirmed means forgotten: a new connection names no lease.
    coordinator.disconnect();
    expect((await coordinator.next("register")).running).toEqual([]);
    expect(await metrics.render()).toContain('aitbc_miner_jobs_total{outcome="completed"} 1');
  });

  it("goes on after a prefix of another miner", async () => {
    await open();
    const prefix = "Es war einmal 😀";
    const terms = coordinator.offer({ prefix, terms: { token: 2, progress_units: 1 } });
    const run = await engine.nth(0);
    expect(run.request.prefix).toBe(prefix);
    await run.write(" ein Bär");
    run.end();
    const complete = await coordinator.next("complete");
    expect(coordinator.text(terms.start_byte)).toBe(" ein Bär");
    expectGoodReceipt(terms, complete, prefix, " ein Bär");
    expectGoodProgress(terms, `${prefix} ein Bär`);
  });

  it("completes an answer without text", async () => {
    await open();
    const terms = coordinator.offer();
    (await engine.nth(0)).end();
    expectGoodReceipt(terms, await coordinator.next("complete"), "", "");
    expect(coordinator.all("progress")).toEqual([]);
  });

  it("joins characters that the engine splits, whatever their length", async () => {
    await open();
    coordinator.offer();
    const run = await engine.nth(0);
    const text = "a😀é€👩‍👩‍👧 \u0000\ufeff fin";
    for (const unit of text.split("")) await run.write(unit);
    run.end();
    await coordinator.next("complete");
    expect(coordinator.text()).toBe(text);
    for (const chunk of coordinator.all("chunk")) expect(chunk.text.isWellFormed()).toBe(true);
  });

  it("signs progress after progress_ms while the engine is slow", async () => {
    await open();
    const terms = coordinator.offer({ terms: { progress_ms: 1 } });
    const run = await engine.nth(0);
    await run.write("few");
    expect((await coordinator.next("progress")).progress.bytes).toBe(3);
    expectGoodProgress(terms, "few");
  });

  it("stops at max_output_bytes, at a whole character, with finish_reason length", async () => {
    await open();
    const terms = coordinator.offer({ terms: { max_output_bytes: 10 } });
    const run = await engine.nth(0);
    await run.write("12345678😀");
    await run.aborted;
    const complete = await coordinator.next("complete");
    expect(complete.finish_reason).toBe("length");
    expect(coordinator.text()).toBe("12345678");
    expectGoodReceipt(terms, complete, "", "12345678");
  });

  it.each([
    ["ENGINE_FAILED", true],
    ["ENGINE_UNAVAILABLE", true],
    ["UNSUPPORTED_FEATURE", false],
    ["INVALID_PAYLOAD", false],
    ["MODEL_NOT_FOUND", false],
  ] as const)("reports %s, retryable: %s, after the text so far", async (code, retryable) => {
    await open();
    coordinator.offer();
    const run = await engine.nth(0);
    await run.write("so far");
    run.fail(new AppError(code, "because"));
    expect(await coordinator.next("fail")).toMatchObject({ code, message: "because", retryable });
    expect(coordinator.text()).toBe("so far");
    expect(coordinator.all("progress").at(-1)?.progress.bytes).toBe(6);
  });

  it("refuses what a raw prompt cannot carry", async () => {
    await open();
    coordinator.offer({ payload: { raw: true, system: "be brief" } });
    expect(await coordinator.next("fail")).toMatchObject({ code: "UNSUPPORTED_FEATURE", retryable: false });
    expect(engine.runs).toEqual([]);
  });
});

describe("offer", () => {
  it("is rejected when all slots are taken, and taken again when one is free", async () => {
    await open({ slots: 1 });
    coordinator.offer();
    await coordinator.next("start");
    coordinator.offer({ terms: { job_id: otherJob } });
    expect(await coordinator.next("reject")).toMatchObject({ job_id: otherJob, code: "NO_FREE_SLOT" });
    (await engine.nth(0)).end();
    await coordinator.next("complete");
    coordinator.offer({ terms: { job_id: otherJob, token: 2 } });
    expect(await coordinator.next("start")).toMatchObject({ job_id: otherJob, token: 2 });
  });

  it("is bounded too in jobs that wait for their confirmation", async () => {
    await open({ slots: 1 });
    for (const last of ["1", "2"]) {
      coordinator.offer({ terms: { job_id: "0".repeat(31) + last } });
      (await engine.nth(Number(last) - 1)).end();
      await coordinator.next("complete");
    }
    coordinator.offer({ terms: { job_id: `${"0".repeat(31)}3` } });
    expect(await coordinator.next("reject")).toMatchObject({ code: "NO_FREE_SLOT" });
  });

  it.each([
    ["another coordinator", { coordinator_id: "ait1qqqqqq" }, "INVALID_TERMS"],
    ["another request", { request_sha256: "00".repeat(32) }, "INVALID_TERMS"],
    ["more prompt units", { prompt_units: 99 }, "INVALID_TERMS"],
    ["another prefix", { prefix_sha256: "00".repeat(32) }, "INVALID_TERMS"],
    ["another start", { start_byte: 1 }, "INVALID_TERMS"],
    ["another kind", { kind: "training" }, "INVALID_TERMS"],
    ["another model than the payload", { model: "other" }, "INVALID_TERMS"],
    ["an unknown meter", { meter: "tok:00" }, "UNSUPPORTED_FEATURE"],
  ])("is rejected when its terms name %s", async (_what, terms, code) => {
    await open();
    coordinator.offer({ terms });
    expect(await coordinator.next("reject")).toMatchObject({ code });
    expect(engine.runs).toEqual([]);
  });

  it("is rejected when the deadline passes the terms'", async () => {
    await open();
    coordinator.offer({ deadline_ms: 60_001 });
    expect(await coordinator.next("reject")).toMatchObject({ code: "INVALID_TERMS" });
  });

  it("is rejected for a model that is not here", async () => {
    await open();
    coordinator.offer({ payload: { model: "llama3" } });
    expect(await coordinator.next("reject")).toMatchObject({ code: "MODEL_NOT_FOUND" });
  });
});

describe("cancel and fence", () => {
  it.each(["cancel", "fenced"] as const)("%s stops the engine and frees the slot", async (type) => {
    await open({ slots: 1 });
    const { job_id, token } = coordinator.offer();
    await coordinator.next("start");
    const run = await engine.nth(0);
    await run.write("text");
    if (type === "cancel") coordinator.send({ type, job_id, token, reason: "client" });
    else coordinator.send({ type, job_id, token, code: "STALE_LEASE", detail: "" });
    await run.aborted;
    coordinator.offer({ terms: { job_id: otherJob } });
    expect(await coordinator.next("start")).toMatchObject({ job_id: otherJob });
    expect(coordinator.all("complete").length + coordinator.all("fail").length).toBe(0);
  });

  it("a new lease on the same job ends the older one", async () => {
    await open({ slots: 1 });
    coordinator.offer();
    const run = await engine.nth(0);
    coordinator.offer({ terms: { token: 2 } });
    await run.aborted;
    expect(await (await engine.nth(1)).request.model).toBe("test");
  });
});

describe("limit of unconfirmed text", () => {
  it("makes the engine wait, signs what is out, and goes on with each confirmation", async () => {
    coordinator.acknowledges = false;
    await open({ max_unsecured_bytes: 1024 });
    const { job_id, token } = coordinator.offer({
      terms: { progress_units: 1_000_000, progress_ms: 1_000_000 },
    });
    const run = await engine.nth(0);
    const text = "0123456789".repeat(400);
    let taken = false;
    const write = run.write(text).then(() => {
      taken = true;
    });
    expect((await coordinator.next("progress")).progress.bytes).toBe(1024);
    expect(coordinator.text()).toBe(text.slice(0, 1024));
    expect(taken).toBe(false);
    for (const bytes of [1024, 2048]) {
      coordinator.send({ type: "ack", job_id, token, bytes });
      expect((await coordinator.next("progress")).progress.bytes).toBe(bytes + 1024);
      expect(taken).toBe(false);
    }
    coordinator.send({ type: "ack", job_id, token, bytes: 3072 });
    await write;
    expect(coordinator.text()).toBe(text);
    run.end();
    await coordinator.next("complete");
  });

  it("bounds an engine that floods without waiting", async () => {
    coordinator.acknowledges = false;
    await open({ max_unsecured_bytes: 1024 });
    coordinator.offer({ terms: { max_output_bytes: 100_000 } });
    const run = await engine.nth(0);
    const flood = Buffer.alloc(10_000, "x").toString();
    for (let i = 0; i < 50; i++) void run.write(flood);
    await run.aborted;
    await coordinator.next("progress");
    expect(coordinator.text().length).toBe(1024);
    for (const { text } of coordinator.all("chunk")) expect(text.length).toBeLessThanOrEqual(1024);
  });
});

describe("reconnection", () => {
  it("sends again exactly what the coordinator lacks, and what was written meanwhile", async () => {
    coordinator.acknowledges = false;
    await open();
    const terms = coordinator.offer({ terms: { progress_units: 1 } });
    const { job_id, token } = terms;
    const run = await engine.nth(0);
    await run.write("one 😀 ");
    await run.write("two ");
    await coordinator.until(() => coordinator.text() === "one 😀 two ");
    coordinator.disconnect();
    await run.write("three ");
    const before = coordinator.frames.length;
    coordinator.resume = [{ job_id, token, bytes: 9 }];
    expect((await coordinator.next("register")).running).toEqual([{ job_id, token }]);
    await coordinator.until(() => coordinator.text() === "one 😀 two three ");
    const again = coordinator.frames.slice(before).filter((frame) => frame.type === "chunk");
    expect(again[0]).toMatchObject({ offset: 9 });
    expect(again.map(({ text }) => text).join("")).toBe("two three ");
    run.end();
    const complete = await coordinator.next("complete");
    expectGoodReceipt(terms, complete, "", "one 😀 two three ");
    expectGoodProgress(terms, "one 😀 two three ");
  });

  it("sends the completion again until it is confirmed", async () => {
    await open();
    const terms = coordinator.offer();
    const { job_id, token } = terms;
    const run = await engine.nth(0);
    await run.write("done");
    run.end();
    await coordinator.next("complete");
    coordinator.resume = [{ job_id, token, bytes: 4 }];
    coordinator.disconnect();
    const complete = await coordinator.next("complete");
    expectGoodReceipt(terms, complete, "", "done");
    coordinator.confirm(complete);
    coordinator.disconnect();
    expect((await coordinator.next("register")).running).toEqual([]);
  });

  it("asks about a completion whose lease is gone, with the same receipt", async () => {
    await open();
    coordinator.offer();
    (await engine.nth(0)).end();
    const first = await coordinator.next("complete");
    coordinator.disconnect();
    const again = await coordinator.next("complete");
    expect(again).toEqual(first);
    coordinator.confirm(again);
    coordinator.disconnect();
    expect((await coordinator.next("register")).running).toEqual([]);
  });

  it("reports a failure that happened while there was no connection", async () => {
    coordinator.refusal = new AppError("UNREACHABLE", "away");
    const refuse = coordinator.refusal;
    coordinator.refusal = undefined;
    await open();
    const { job_id, token } = coordinator.offer();
    const run = await engine.nth(0);
    coordinator.refusal = refuse;
    coordinator.disconnect();
    await coordinator.until(() => coordinator.opens >= 2);
    await run.write("half");
    run.fail(new AppError("ENGINE_FAILED", "it broke"));
    await run.aborted;
    coordinator.resume = [{ job_id, token, bytes: 0 }];
    coordinator.refusal = undefined;
    expect(await coordinator.next("fail")).toMatchObject({ code: "ENGINE_FAILED" });
    expect(coordinator.text()).toBe("half");
  });

  it("stops the engine of a lease that is lost", async () => {
    await open();
    coordinator.offer();
    await coordinator.next("start");
    const run = await engine.nth(0);
    coordinator.disconnect();
    await run.aborted;
    coordinator.offer({ terms: { job_id: otherJob } });
    expect(await coordinator.next("start")).toMatchObject({ job_id: otherJob });
  });

  it("fails a lease that it is asked to resume inside a character", async () => {
    await open();
    const { job_id, token } = coordinator.offer();
    await (await engine.nth(0)).write("😀");
    coordinator.resume = [{ job_id, token, bytes: 2 }];
    coordinator.disconnect();
    expect(await coordinator.next("fail")).toMatchObject({ code: "PROTOCOL_VIOLATION" });
  });
});

describe("stop", () => {
  it("lets running jobs end, takes no others, and closes when the coordinator has nothing left", async () => {
    coordinator.drains = false;
    await open({ drain_seconds: 60 });
    coordinator.offer();
    const run = await engine.nth(0);
    stop.abort();
    await coordinator.next("drain");
    coordinator.offer({ terms: { job_id: otherJob } });
    expect(await coordinator.next("reject")).toMatchObject({ code: "MINER_DRAINING" });
    await run.write("last words");
    const stopped = miner[Symbol.asyncDispose]();
    run.end();
    coordinator.confirm(await coordinator.next("complete"));
    coordinator.send({ type: "drained" });
    await stopped;
    expect(coordinator.text()).toBe("last words");
    expect(engine.disposed).toBe(true);
    expect(locked).toBe(0);
  });

  it("fails what runs too long, so that another miner takes it at once", async () => {
    await open({ drain_seconds: 0 });
    coordinator.offer();
    const run = await engine.nth(0);
    await run.write("part");
    await miner[Symbol.asyncDispose]();
    await run.aborted;
    expect(await coordinator.next("fail")).toMatchObject({ code: "MINER_STOPPING", retryable: true });
    expect(coordinator.text()).toBe("part");
  });

  it("says that it drains on a connection that opens while it stops", async () => {
    coordinator.drains = false;
    await open({ drain_seconds: 60 });
    const { job_id, token } = coordinator.offer();
    const run = await engine.nth(0);
    coordinator.resume = [{ job_id, token, bytes: 0 }];
    coordinator.disconnect();
    stop.abort();
    await coordinator.next("drain");
    coordinator.send({ type: "cancel", job_id, token, reason: "client" });
    await run.aborted;
    coordinator.send({ type: "drained" });
    await miner[Symbol.asyncDispose]();
  });

  it("does not wait for a coordinator that is not there", async () => {
    coordinator.refusal = new AppError("UNREACHABLE", "away");
    await startMiner({ drain_seconds: 60 });
    await coordinator.until(() => coordinator.opens === 1);
    await miner[Symbol.asyncDispose]();
    expect(engine.disposed).toBe(true);
  });
});
