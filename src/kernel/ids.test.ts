import { describe, expect, it } from "vitest";
import type { Clock } from "./clock.ts";
import { createIds } from "./ids.ts";

const AT = 0x0199_f3a2_c4d1;

function fixedClock(): Clock & { at: number } {
  const clock = { at: AT, now: () => clock.at, monotonic: () => clock.at };
  return clock;
}

describe("ids", () => {
  it("are UUIDv7 as 32 hex characters: time, version, variant (RFC 9562 §5.7)", () => {
    const id = createIds(fixedClock()).next();
    expect(id).toMatch(/^[0-9a-f]{32}$/);
    expect(Number.parseInt(id.slice(0, 12), 16)).toBe(AT);
    expect(id[12]).toBe("7");
    expect(id[16]).toMatch(/[89ab]/);
  });

  it("rise strictly, within a millisecond and when its sequence is used up", () => {
    const ids = createIds(fixedClock());
    const made = Array.from({ length: 10_000 }, () => ids.next());
    expect(made.toSorted()).toEqual(made);
    expect(new Set(made).size).toBe(made.length);
  });

  it("rise although the clock goes back", () => {
    const clock = fixedClock();
    const ids = createIds(clock);
    const first = ids.next();
    clock.at -= 1_000;
    expect(ids.next() > first).toBe(true);
  });
});
