import { describe, expect, it } from "vitest";
import { formatTime } from "./scalars.ts";

describe("a time as text", () => {
  it("is what Date writes, whatever was written before it", () => {
    const now = Date.UTC(2026, 10, 21, 6, 59, 59, 7);
    // 61 s apart, an hour apart, within one second, before 1970, at the ends of what a Date holds.
    const times = [now, now + 61_000, now, now + 3_600_000, now + 1, now - 8, 0, -1, -999, -1000, -61_001];
    for (const time of [...times, 8.64e15, -8.64e15]) {
      expect(formatTime(time)).toBe(new Date(time).toISOString());
    }
  });

  it("is refused outside the seconds that a Date holds", () => {
    expect(() => formatTime(Number.NaN)).toThrow(RangeError);
    expect(() => formatTime(8.64e15 + 1000)).toThrow(RangeError);
  });
});
