import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { MinerBench, OTHER_JOB } from "../../../test/harness/miner-bench.ts";
import type { PlannedEngine } from "../../../test/harness/planned-engine.ts";
import { ScriptedCoordinator } from "../../../test/harness/scripted-coordinator.ts";
import { addressOfKey } from "../../crypto/address.ts";
import { AppError } from "../../kernel/errors.ts";

let bench: MinerBench;
let coordinator: ScriptedCoordinator;
let engine: PlannedEngine;
beforeEach(async () => {
  bench = await MinerBench.create();
  ({ coordinator, engine } = bench);
});
afterEach(() => bench.dispose());

describe("session", () => {
  it("proves the identity and tells what it offers", async () => {
    const register = await bench.open({ slots: 3, region: "eu", price: 1.5 });
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
          features: ["text"],
        },
      ],
    });
    expect(register.capabilities.cpu.cores).toBeGreaterThan(0);
  });

  it("tells what it has measured of a model at once, and does not repeat what has hardly changed", async () => {
    await bench.open();
    coordinator.offer();
    const run = await engine.nth(0);
    await run.write("some text");
    run.end({ completion_tokens: 7, load_ms: 1200 });
    const { capabilities } = await coordinator.next("update");
    expect(capabilities.models[0]).toMatchObject({ load_ms: 1200, tokens_per_second: expect.any(Number) });
    coordinator.confirm(await coordinator.next("complete"));
    coordinator.offer({ terms: { job_id: OTHER_JOB } });
    const second = await engine.nth(1);
    await second.write("some text");
    second.end({ completion_tokens: 70, load_ms: 1250 });
    await coordinator.next("complete");
    expect(coordinator.all("update")).toHaveLength(1);
  });

  it("sends heartbeats that name its leases", async () => {
    coordinator.heartbeatMs = 5;
    await bench.open();
    const { job_id, token } = coordinator.offer();
    await coordinator.next("start");
    expect((await coordinator.next("heartbeat")).running).toEqual([{ job_id, token }]);
  });

  it("refuses a coordinator whose id is not its key's address, and tries again", async () => {
    const { id } = coordinator;
    Object.assign(coordinator, { id: addressOfKey(new ScriptedCoordinator().key.publicKey) });
    await bench.start();
    await coordinator.until(() => coordinator.opens === 2);
    expect(coordinator.frames).toEqual([]);
    Object.assign(coordinator, { id });
    await coordinator.next("register");
  });

  it("comes back for ever when nothing listens", async () => {
    coordinator.refusal = new AppError("UNREACHABLE", "nothing listens");
    await bench.start();
    await coordinator.until(() => coordinator.opens === 3);
    expect(bench.miner.ready()).toBe(false);
    coordinator.refusal = undefined;
    await coordinator.next("register");
    coordinator.offer();
    await coordinator.next("start");
    expect(bench.miner.ready()).toBe(true);
  });

  it("ends a connection that sends nonsense and opens another", async () => {
    await bench.open();
    coordinator.send({ type: "registered", miner_id: coordinator.id, heartbeat_ms: 1, resume: [], lost: [] });
    await coordinator.next("register");
    expect(coordinator.opens).toBe(2);
  });
});

describe("reconnection", () => {
  it("sends again exactly what the coordinator lacks, and what was written meanwhile", async () => {
    coordinator.acknowledges = false;
    await bench.open();
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
    bench.expectGoodReceipt(terms, complete, "", "one 😀 two three ");
    bench.expectGoodProgress(terms, "one 😀 two three ");
    expect(coordinator.all("progress").at(-1)?.progress.bytes).toBe(Buffer.byteLength("one 😀 two three "));
  });

  it("sends the completion again until it is confirmed", async () => {
    await bench.open();
    const terms = coordinator.offer();
    const { job_id, token } = terms;
    const run = await engine.nth(0);
    await run.write("done");
    run.end();
    await coordinator.next("complete");
    coordinator.resume = [{ job_id, token, bytes: 4 }];
    coordinator.disconnect();
    const complete = await coordinator.next("complete");
    bench.expectGoodReceipt(terms, complete, "", "done");
    coordinator.confirm(complete);
    coordinator.disconnect();
    expect((await coordinator.next("register")).running).toEqual([]);
  });

  it("asks about a completion whose lease is gone, with the same receipt", async () => {
    await bench.open();
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
    await bench.open();
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
    await bench.open();
    coordinator.offer();
    await coordinator.next("start");
    const run = await engine.nth(0);
    coordinator.disconnect();
    await run.aborted;
    coordinator.offer({ terms: { job_id: OTHER_JOB } });
    expect(await coordinator.next("start")).toMatchObject({ job_id: OTHER_JOB });
  });

  it("fails a lease that it is asked to resume inside a character", async () => {
    await bench.open();
    const { job_id, token } = coordinator.offer();
    await (await engine.nth(0)).write("😀");
    coordinator.resume = [{ job_id, token, bytes: 2 }];
    coordinator.disconnect();
    expect(await coordinator.next("fail")).toMatchObject({ code: "PROTOCOL_VIOLATION" });
  });
});
