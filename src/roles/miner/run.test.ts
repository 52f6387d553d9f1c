import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { MinerBench, OTHER_JOB } from "../../../test/harness/miner-bench.ts";
import type { PlannedEngine } from "../../../test/harness/planned-engine.ts";
import type { ScriptedCoordinator } from "../../../test/harness/scripted-coordinator.ts";
import { AppError } from "../../kernel/errors.ts";

let bench: MinerBench;
let coordinator: ScriptedCoordinator;
let engine: PlannedEngine;
beforeEach(async () => {
  bench = await MinerBench.create();
  ({ coordinator, engine } = bench);
});
afterEach(() => bench.dispose());

describe("job", () => {
  it("goes from offer to a receipt that the domain accepts", async () => {
    await bench.open();
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
    run.end({ cached_tokens: 2 });
    const complete = await coordinator.next("complete");
    const text = "Hello wörld 😀 and a bit more";
    expect(coordinator.text()).toBe(text);
    expect(complete).toMatchObject({
      finish_reason: "stop",
      usage: { prompt_tokens: 3, completion_tokens: 7 },
    });
    bench.expectGoodReceipt(terms, complete, "", text);
    bench.expectGoodProgress(terms, text);
    // The last statement covers the whole answer, before the receipt does.
    expect(coordinator.all("progress").at(-1)?.progress.bytes).toBe(Buffer.byteLength(text));
    coordinator.confirm(complete);
    // Confirmed means forgotten: a new connection names no lease.
    coordinator.disconnect();
    expect((await coordinator.next("register")).running).toEqual([]);
    const metrics = await bench.metrics.render();
    expect(metrics).toContain('aitbc_miner_jobs_total{outcome="completed"} 1');
    expect(metrics).toContain('aitbc_miner_prefix_tokens_total{reused="true"} 2');
    expect(metrics).toContain('aitbc_miner_prefix_tokens_total{reused="false"} 1');
  });

  it("goes on after a prefix of another miner", async () => {
    await bench.open();
    const prefix = "Es war einmal 😀";
    const terms = coordinator.offer({ prefix, terms: { token: 2 } });
    const run = await engine.nth(0);
    expect(run.request.prefix).toBe(prefix);
    await run.write(" ein Bär");
    run.end();
    const complete = await coordinator.next("complete");
    expect(coordinator.text(terms.start_byte)).toBe(" ein Bär");
    bench.expectGoodReceipt(terms, complete, prefix, " ein Bär");
    bench.expectGoodProgress(terms, `${prefix} ein Bär`);
    // Far less than progress_units: the end alone is why there is a statement.
    expect(coordinator.all("progress").map(({ progress }) => progress.bytes)).toEqual([27]);
  });

  it("completes an answer without text", async () => {
    await bench.open();
    const terms = coordinator.offer();
    (await engine.nth(0)).end();
    bench.expectGoodReceipt(terms, await coordinator.next("complete"), "", "");
    expect(coordinator.all("progress")).toEqual([]);
  });

  it("joins characters that the engine splits, whatever their length", async () => {
    await bench.open();
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
    await bench.open();
    const terms = coordinator.offer({ terms: { progress_ms: 1 } });
    const run = await engine.nth(0);
    await run.write("few");
    expect((await coordinator.next("progress")).progress.bytes).toBe(3);
    bench.expectGoodProgress(terms, "few");
  });

  it("stops at max_output_bytes, at a whole character, with finish_reason length", async () => {
    await bench.open();
    const terms = coordinator.offer({ terms: { max_output_bytes: 10 } });
    const run = await engine.nth(0);
    await run.write("12345678😀");
    await run.aborted;
    const complete = await coordinator.next("complete");
    expect(complete.finish_reason).toBe("length");
    expect(coordinator.text()).toBe("12345678");
    bench.expectGoodReceipt(terms, complete, "", "12345678");
  });

  it.each([
    ["ENGINE_FAILED", true],
    ["ENGINE_UNAVAILABLE", true],
    ["TIMEOUT", false],
    ["UNSUPPORTED_FEATURE", false],
    ["INVALID_PAYLOAD", false],
    ["MODEL_NOT_FOUND", false],
  ] as const)("reports %s, retryable: %s, after the text so far", async (code, retryable) => {
    await bench.open();
    coordinator.offer();
    const run = await engine.nth(0);
    await run.write("so far");
    run.fail(new AppError(code, "because"));
    expect(await coordinator.next("fail")).toMatchObject({ code, message: "because", retryable });
    expect(coordinator.text()).toBe("so far");
    expect(coordinator.all("progress").at(-1)?.progress.bytes).toBe(6);
  });

  it("refuses what a raw prompt cannot carry", async () => {
    await bench.open();
    coordinator.offer({ payload: { raw: true, system: "be brief" } });
    expect(await coordinator.next("fail")).toMatchObject({ code: "UNSUPPORTED_FEATURE", retryable: false });
    expect(engine.runs).toEqual([]);
  });
});

describe("cancel and fence", () => {
  it.each(["cancel", "fenced"] as const)("%s stops the engine and frees the slot", async (type) => {
    await bench.open({ slots: 1 });
    const { job_id, token } = coordinator.offer();
    await coordinator.next("start");
    const run = await engine.nth(0);
    await run.write("text");
    if (type === "cancel") coordinator.send({ type, job_id, token, reason: "client" });
    else coordinator.send({ type, job_id, token, code: "STALE_LEASE", detail: "" });
    await run.aborted;
    coordinator.offer({ terms: { job_id: OTHER_JOB } });
    expect(await coordinator.next("start")).toMatchObject({ job_id: OTHER_JOB });
    expect(coordinator.all("complete").length + coordinator.all("fail").length).toBe(0);
  });

  it("a new lease on the same job ends the older one", async () => {
    await bench.open({ slots: 1 });
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
    await bench.open({ max_unsecured_bytes: 1024 });
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

  it("ends what it sends where the engine's pieces end", async () => {
    coordinator.acknowledges = false;
    await bench.open({ max_unsecured_bytes: 1024 });
    const { job_id, token } = coordinator.offer({
      terms: { progress_units: 1_000_000, progress_ms: 1_000_000 },
    });
    const run = await engine.nth(0);
    const piece = "0123456789".repeat(10);
    const writing = (async () => {
      for (let n = 0; n < 25; n++) await run.write(piece);
    })();
    for (const bytes of [1000, 2000]) {
      expect((await coordinator.next("progress")).progress.bytes).toBe(bytes);
      coordinator.send({ type: "ack", job_id, token, bytes });
    }
    await writing;
    run.end();
    await coordinator.next("complete");
    expect(coordinator.text()).toBe(piece.repeat(25));
    for (const { text } of coordinator.all("chunk")) expect(text.length % piece.length).toBe(0);
  });

  it("bounds an engine that floods without waiting", async () => {
    coordinator.acknowledges = false;
    await bench.open({ max_unsecured_bytes: 1024 });
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
