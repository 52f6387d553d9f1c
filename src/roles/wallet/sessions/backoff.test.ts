import { describe, expect, it } from "vitest";
import { FREE_FAILURES, LONGEST_WAIT_MS, remainingWait, waitAfterFailures } from "./backoff.ts";

describe("the wait after wrong passwords", () => {
  it("begins after the free ones, doubles, and ends at its bound", () => {
    const waits = Array.from({ length: 8 }, (_, failures) => waitAfterFailures(failures));
    expect(waits).toEqual([0, 0, 0, 0, 1000, 2000, 4000, 8000]);
    expect(waitAfterFailures(FREE_FAILURES + 100)).toBe(LONGEST_WAIT_MS);
  });

  it("is over at its time, and no longer than itself when the clock was set back", () => {
    expect(remainingWait(4, 5000, 4400)).toBe(600);
    expect(remainingWait(4, 5000, 5000)).toBe(0);
    expect(remainingWait(4, 5000, -9e9)).toBe(1000);
    expect(remainingWait(2, 5000, 0)).toBe(0);
  });
});
