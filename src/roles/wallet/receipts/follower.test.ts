import { describe, expect, it } from "vitest";
import { overlapOf, waitAfter } from "./follower.ts";

const MINUTE_MS = 60_000;

describe("where a walk through the jobs ends", () => {
  it("is a minute before the newest that was noted", () => {
    const at = 1_795_000_000_000;
    const id = (time: number) => `${time.toString(16).padStart(12, "0")}7abc8def0123456789ab`;
    const floor = overlapOf(id(at));
    expect(id(at - MINUTE_MS) >= floor).toBe(true);
    expect(id(at - MINUTE_MS - 1) >= floor).toBe(false);
    expect(floor <= id(at)).toBe(true);
  });

  it("is the very end before the first walk, and after ids of another form", () => {
    expect([overlapOf(""), overlapOf("job-1")]).toEqual(["", ""]);
  });
});

describe("the wait between two rounds", () => {
  const least = () => Uint8Array.of(0);
  const most = () => Uint8Array.of(255);

  it("is the usual one while all goes well", () => {
    expect(waitAfter(0, 30_000, most)).toBe(30_000);
  });

  it("doubles with failures up to its bound, half of it by chance", () => {
    expect([1, 2, 3].map((failures) => waitAfter(failures, 30_000, least))).toEqual([1000, 2000, 4000]);
    expect(waitAfter(2, 30_000, most)).toBeGreaterThan(3900);
    expect(waitAfter(100, 30_000, least)).toBe(150_000);
    expect(waitAfter(100, 30_000, most)).toBeLessThanOrEqual(300_000);
  });
});
