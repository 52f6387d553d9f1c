import { describe, expect, it } from "vitest";
import { formatBar } from "./bar.ts";

describe("a progress bar", () => {
  it.each([
    [
      { total: 100, done: 50, failed: 0, since: 0 },
      5_000,
      "████████████░░░░░░░░░░░░ 50/100 · 10/s · 5 s left",
    ],
    [
      { total: 100, done: 75, failed: 3, since: 70 },
      10_000,
      "██████████████████░░░░░░ 75/100 · 0.5/s · 50 s left · 3 failed",
    ],
    [{ total: 0, done: 0, failed: 0, since: 0 }, 0, "░░░░░░░░░░░░░░░░░░░░░░░░ 0/0 · 0/s"],
  ])("tells how far, how fast and how long still: %o", (state, elapsedMs, expected) => {
    expect(formatBar(state, elapsedMs)).toBe(expected);
  });
});
