import { describe, expect, it } from "vitest";
import { TestClock } from "../../../test/harness/clock.ts";
import {
  FAILURES_TO_QUARANTINE,
  LOST_AT_ONCE_MS,
  MinerHealth,
  QUARANTINE_BASE_MS,
  QUARANTINE_CAP_MS,
} from "./miner-health.ts";

const ERROR = "OOM: out of memory";

function failTimes(health: MinerHealth, times: number): void {
  for (let n = 0; n < times; n++) health.failed("m", "x", ERROR);
}

describe("MinerHealth", () => {
  it("leaves a miner out after so many failures in a row, no sooner", () => {
    const health = new MinerHealth(new TestClock());
    failTimes(health, FAILURES_TO_QUARANTINE - 1);
    expect(health.quarantine("m")).toBeUndefined();
    health.succeeded("m", "x");
    failTimes(health, FAILURES_TO_QUARANTINE - 1);
    expect(health.quarantine("m")).toBeUndefined();
    failTimes(health, 1);
    expect(health.quarantine("m")).toContain(ERROR);
    expect(health.quarantine("another")).toBeUndefined();
  });

  it("leaves it out twice as long each time, up to the cap, and forgets it all with a finished job", () => {
    const clock = new TestClock();
    const health = new MinerHealth(clock);
    for (const lasts of [1, 2, 4].map((times) => times * QUARANTINE_BASE_MS)) {
      failTimes(health, FAILURES_TO_QUARANTINE);
      clock.advance(lasts - 5000);
      expect(health.quarantine("m")).toBeDefined();
      clock.advance(5000);
      expect(health.quarantine("m")).toBeUndefined();
    }
    for (let n = 0; n < 10; n++) failTimes(health, FAILURES_TO_QUARANTINE);
    clock.advance(QUARANTINE_CAP_MS);
    expect(health.quarantine("m")).toBeUndefined();
    health.succeeded("m", "x");
    failTimes(health, FAILURES_TO_QUARANTINE);
    clock.advance(QUARANTINE_BASE_MS);
    expect(health.quarantine("m")).toBeUndefined();
  });

  it("tells the four states and why", () => {
    const health = new MinerHealth(new TestClock());
    const online = { open: true, draining: false };
    expect(health.conditionOf("m", online)).toEqual({ state: "online", reason: null });
    expect(health.conditionOf("m", { open: true, draining: true }).state).toBe("draining");
    expect(health.conditionOf("m", { open: false, draining: true }).state).toBe("offline");
    expect(health.conditionOf("m", undefined).state).toBe("offline");
    failTimes(health, FAILURES_TO_QUARANTINE);
    expect(health.conditionOf("m", online)).toEqual({
      state: "quarantined",
      reason: expect.stringMatching(/^left out for another \d+ s: 5 attempts failed/),
    });
    health.pardon("m");
    expect(health.conditionOf("m", online).state).toBe("online");
  });

  it("counts what it leaves at once as one failure, and of no model", () => {
    const clock = new TestClock();
    const health = new MinerHealth(clock);
    for (let lease = 0; lease < 2 * FAILURES_TO_QUARANTINE; lease++) health.lost("m", ERROR);
    expect(health.quarantine("m")).toBeUndefined();
    for (let time = 1; time < FAILURES_TO_QUARANTINE; time++) {
      clock.advance(LOST_AT_ONCE_MS);
      health.lost("m", ERROR);
    }
    expect(health.quarantine("m")).toContain(ERROR);
    expect(health.models.whyNot("m", "any")).toBeUndefined();
  });
});
