import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { BACKOFF_CAP_MS, backoffMs } from "./backoff.ts";

describe("backoffMs", () => {
  it.each([
    [1, 0, 250],
    [1, 999_999, 499],
    [2, 500_000, 750],
    [7, 0, 15_000],
    [50, 999_999, 29_999],
  ])("after attempt %i with %i ppm waits %i ms", (attempt, ppm, ms) => {
    expect(backoffMs(attempt, ppm)).toBe(ms);
  });

  it("never shrinks with the attempt and never passes the cap", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 1000 }), fc.nat(999_999), (attempt, ppm) => {
        const ms = backoffMs(attempt, ppm);
        expect(Number.isInteger(ms)).toBe(true);
        expect(backoffMs(attempt + 1, ppm)).toBeGreaterThanOrEqual(ms);
        expect(ms).toBeLessThanOrEqual(BACKOFF_CAP_MS);
      }),
    );
  });

  it.each([
    [0, 0],
    [1.5, 0],
    [1, -1],
    [1, 1_000_000],
    [1, 0.5],
  ])("refuses attempt %d with %d ppm", (attempt, ppm) => {
    expect(() => backoffMs(attempt, ppm)).toThrow(expect.objectContaining({ code: "INVALID_ARGUMENT" }));
  });
});
