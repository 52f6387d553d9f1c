import { describe, expect, it } from "vitest";
import { createSystemClock } from "./clock.ts";

const HOUR_MS = 3_600_000;

function createFakeTime() {
  const time = { wall: 1_700_000_000_000, monotonic: 5_000 };
  const clock = createSystemClock(
    () => time.wall,
    () => time.monotonic,
  );
  const pass = (ms: number): void => {
    time.wall += ms;
    time.monotonic += ms;
  };
  return { time, clock, pass };
}

describe("system clock", () => {
  it("starts at the wall clock and passes with it", () => {
    const { time, clock, pass } = createFakeTime();
    expect(clock.now()).toBe(time.wall);
    pass(1_234);
    expect(clock.now()).toBe(time.wall);
  });

  it.each([HOUR_MS, -HOUR_MS])("does not jump when the wall clock steps by %i ms", (step) => {
    const { time, clock, pass } = createFakeTime();
    const before = clock.now();
    time.wall += step;
    pass(1_000);
    expect(Math.abs(clock.now() - before - 1_000)).toBeLessThanOrEqual(1);
  });

  it("follows a step by 500 ppm of the time that passes", () => {
    const { time, clock, pass } = createFakeTime();
    const before = clock.now();
    time.wall += HOUR_MS;
    pass(1_000_000);
    expect(clock.now() - before).toBe(1_000_000 + 500);
  });

  it("never goes back, also when the wall clock does", () => {
    const { time, clock, pass } = createFakeTime();
    let last = clock.now();
    time.wall -= HOUR_MS;
    for (let step = 0; step < 1_000; step++) {
      pass(1);
      const now = clock.now();
      expect(now).toBeGreaterThanOrEqual(last);
      last = now;
    }
  });
});
