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

describe("stop", () => {
  it("lets running jobs end, takes no others, and closes when the coordinator has nothing left", async () => {
    coordinator.drains = false;
    await bench.open({ drain_seconds: 60 });
    coordinator.offer();
    const run = await engine.nth(0);
    bench.stop.abort();
    await coordinator.next("drain");
    coordinator.offer({ terms: { job_id: OTHER_JOB } });
    expect(await coordinator.next("reject")).toMatchObject({ code: "MINER_DRAINING" });
    await run.write("last words");
    const stopped = bench.miner[Symbol.asyncDispose]();
    run.end();
    coordinator.confirm(await coordinator.next("complete"));
    coordinator.send({ type: "drained" });
    await stopped;
    expect(coordinator.text()).toBe("last words");
    expect(engine.disposed).toBe(true);
    expect(bench.locked).toBe(false);
  });

  it("fails what runs too long, so that another miner takes it at once", async () => {
    await bench.open({ drain_seconds: 0 });
    coordinator.offer();
    const run = await engine.nth(0);
    await run.write("part");
    await bench.miner[Symbol.asyncDispose]();
    await run.aborted;
    expect(await coordinator.next("fail")).toMatchObject({ code: "MINER_STOPPING", retryable: true });
    expect(coordinator.text()).toBe("part");
  });

  it("says that it drains on a connection that opens while it stops", async () => {
    coordinator.drains = false;
    await bench.open({ drain_seconds: 60 });
    const { job_id, token } = coordinator.offer();
    const run = await engine.nth(0);
    coordinator.resume = [{ job_id, token, bytes: 0 }];
    coordinator.disconnect();
    bench.stop.abort();
    await coordinator.next("drain");
    coordinator.send({ type: "cancel", job_id, token, reason: "client" });
    await run.aborted;
    coordinator.send({ type: "drained" });
    await bench.miner[Symbol.asyncDispose]();
  });

  it("does not wait for a coordinator that is not there", async () => {
    coordinator.refusal = new AppError("UNREACHABLE", "away");
    await bench.start({ drain_seconds: 60 });
    await coordinator.until(() => coordinator.opens === 1);
    await bench.miner[Symbol.asyncDispose]();
    expect(engine.disposed).toBe(true);
  });
});
