import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  type Ahead,
  derivedDurations,
  estimateWait,
  KEPT_DURATIONS,
  MeasuredDurations,
  type Slot,
} from "./eta.ts";

function measured(...ms: readonly number[]): MeasuredDurations {
  const durations = new MeasuredDurations();
  for (const one of ms) durations.add(one);
  return durations;
}

const SECOND = measured(1000, 1000, 1000);
const busy = (elapsedMs: number): Slot => ({ elapsedMs, durations: SECOND });

describe("a wait", () => {
  it("is nothing where a slot is free and nobody stands before", () => {
    expect(estimateWait(["free", busy(0)], [])).toEqual({ p50: 0, p90: 0 });
  });

  it("is unknown where there are no slots", () => {
    expect(estimateWait([], [{ jobs: 1, durations: SECOND }])).toBeUndefined();
  });

  it("is what the running job has left, and as many jobs as one slot gets before", () => {
    expect(estimateWait([busy(400)], [])).toEqual({ p50: 600, p90: 600 });
    expect(estimateWait([busy(400)], [{ jobs: 3, durations: SECOND }])?.p50).toBe(3600);
    const two = estimateWait([busy(400), busy(800)], [{ jobs: 3, durations: SECOND }]);
    expect(two?.p50).toBe(1600);
  });

  it("goes on where jobs take longer than ever", () => {
    expect(estimateWait([busy(2000)], [])?.p50).toBe(500);
    expect(estimateWait([{ elapsedMs: 4000, durations: derivedDurations(1000) }], [])?.p50).toBe(1000);
  });

  it("of thousands of jobs and slots is their work shared out", () => {
    const slots: Slot[] = Array.from({ length: 200 }, () => "free");
    const wait = estimateWait(slots, [{ jobs: 10_000, durations: SECOND }]);
    expect(wait?.p50).toBeGreaterThan(45_000);
    expect(wait?.p50).toBeLessThan(55_000);
  });

  it("is longer with more jobs, shorter with more slots, and its ninth tenth is not below its middle", () => {
    const durations = measured(100, 300, 900, 2700);
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 8 }), fc.integer({ min: 0, max: 60 }), (count, jobs) => {
        const wait = (slots: number, before: number) =>
          estimateWait(
            Array.from({ length: slots }, (): Slot => ({ elapsedMs: 50, durations })),
            [{ jobs: before, durations }] satisfies Ahead[],
          ) ?? { p50: -1, p90: -1 };
        const one = wait(count, jobs);
        expect(one.p90).toBeGreaterThanOrEqual(one.p50);
        expect(wait(count, jobs + 20).p50).toBeGreaterThan(one.p50);
        expect(wait(count * 2, jobs).p50).toBeLessThanOrEqual(one.p50 * 1.2);
      }),
      { numRuns: 50 },
    );
  });
});

describe("measured durations", () => {
  it("forget the oldest", () => {
    const durations = measured(...Array.from({ length: KEPT_DURATIONS }, () => 1_000_000));
    for (let index = 0; index < KEPT_DURATIONS; index++) durations.add(10);
    expect(durations.mean).toBe(10);
    expect(durations.count).toBe(KEPT_DURATIONS);
  });
});
