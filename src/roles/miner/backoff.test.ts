import { describe, expect, it } from "vitest";
import { reconnectWaitMs } from "./backoff.ts";

const least = () => Uint8Array.of(0);
const most = () => Uint8Array.of(255);

describe("reconnectWaitMs", () => {
  it("doubles from 100 ms and stays below 15 s", () => {
    expect([1, 2, 3].map((attempt) => reconnectWaitMs(attempt, most))).toEqual([100, 200, 399]);
    expect(reconnectWaitMs(1000, most)).toBeLessThanOrEqual(15_000);
  });

  it("takes between half and all of the wait by chance", () => {
    expect(reconnectWaitMs(1, least)).toBe(50);
    expect(reconnectWaitMs(1000, least)).toBe(7500);
  });
});
