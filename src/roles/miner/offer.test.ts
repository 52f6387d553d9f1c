import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { MinerBench, OTHER_JOB } from "../../../test/harness/miner-bench.ts";
import type { PlannedEngine } from "../../../test/harness/planned-engine.ts";
import type { ScriptedCoordinator } from "../../../test/harness/scripted-coordinator.ts";

let bench: MinerBench;
let coordinator: ScriptedCoordinator;
let engine: PlannedEngine;
beforeEach(async () => {
  bench = await MinerBench.create();
  ({ coordinator, engine } = bench);
});
afterEach(() => bench.dispose());

describe("offer", () => {
  it("is rejected when all slots are taken, and taken again when one is free", async () => {
    await bench.open({ slots: 1 });
    coordinator.offer();
    await coordinator.next("start");
    coordinator.offer({ terms: { job_id: OTHER_JOB } });
    expect(await coordinator.next("reject")).toMatchObject({ job_id: OTHER_JOB, code: "NO_FREE_SLOT" });
    (await engine.nth(0)).end();
    await coordinator.next("complete");
    coordinator.offer({ terms: { job_id: OTHER_JOB, token: 2 } });
    expect(await coordinator.next("start")).toMatchObject({ job_id: OTHER_JOB, token: 2 });
  });

  it("is bounded too in jobs that wait for their confirmation", async () => {
    await bench.open({ slots: 1 });
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
    ["an unknown meter", { meter: "tok:00" }, "UNKNOWN_METER"],
  ])("is rejected when its terms name %s", async (_what, terms, code) => {
    await bench.open();
    coordinator.offer({ terms });
    expect(await coordinator.next("reject")).toMatchObject({ code });
    expect(engine.runs).toEqual([]);
  });

  it("is rejected when the deadline passes the terms'", async () => {
    await bench.open();
    coordinator.offer({ deadline_ms: 60_001 });
    expect(await coordinator.next("reject")).toMatchObject({ code: "INVALID_TERMS" });
  });

  it("is rejected for a model that is not here", async () => {
    await bench.open();
    coordinator.offer({ payload: { model: "llama3" } });
    expect(await coordinator.next("reject")).toMatchObject({ code: "MODEL_NOT_FOUND" });
  });
});
