import { expect, it } from "vitest";
import { formatQueue, formatWait } from "./job-view.ts";

const QUEUE = {
  position: 3,
  position_is_lower_bound: false,
  miners_online: 1,
  miners_eligible: 1,
  reason: "all are busy",
};

it.each([
  [null, null, "position 3 · all are busy"],
  [4_200, 9_000, "position 3 · in about 5 s, nine of ten within 9 s · all are busy"],
  [4_200, 4_300, "position 3 · in about 5 s · all are busy"],
  [4_200, null, "position 3 · in about 5 s · all are busy"],
])("a wait of %j to %j ms", (eta_p50_ms, eta_p90_ms, text) => {
  expect(formatQueue({ ...QUEUE, eta_p50_ms, eta_p90_ms })).toBe(text);
});

it("marks a position that is only a bound", () => {
  const view = { ...QUEUE, position_is_lower_bound: true, eta_p50_ms: null, eta_p90_ms: null };
  expect(formatQueue(view)).toBe("position 3 or later · all are busy");
});

it.each([
  [0, "1 s"],
  [119_999, "120 s"],
  [120_000, "2 min"],
  [3_600_000, "1.0 h"],
])("%i ms are %s", (ms, text) => {
  expect(formatWait(ms)).toBe(text);
});
