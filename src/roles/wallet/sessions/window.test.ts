import { array, assert, integer, property } from "fast-check";
import { describe, expect, it } from "vitest";
import { decideCall } from "./window.ts";

const LIMIT = { calls: 3, windowMs: 1000 };

/** Makes calls at these times; which of them were allowed. */
function run(times: readonly number[]): number[] {
  let calls: readonly number[] = [];
  return times.filter((now) => {
    const decision = decideCall(calls, now, LIMIT);
    if (decision.allowed) calls = decision.calls;
    return decision.allowed;
  });
}

describe("a sliding window", () => {
  it("allows so many calls, and the next when the first has left it", () => {
    expect(run([0, 1, 2, 3, 999, 1000, 1001])).toEqual([0, 1, 2, 1000, 1001]);
    expect(decideCall([0, 1, 2], 400, LIMIT)).toEqual({ allowed: false, retryAfterMs: 600 });
  });

  it("never allows more within any span of its length, whenever they come", () => {
    assert(
      property(array(integer({ min: 0, max: 400 }), { maxLength: 200 }), (steps) => {
        let now = 0;
        const times = steps.map((step) => {
          now += step;
          return now;
        });
        const allowed = run(times);
        for (const [index, at] of allowed.entries()) {
          const fourth = allowed[index + LIMIT.calls];
          if (fourth !== undefined) expect(fourth - at).toBeGreaterThanOrEqual(LIMIT.windowMs);
        }
      }),
    );
  });

  it("lets a call in once the wait that it told is over", () => {
    assert(
      property(array(integer({ min: 0, max: 999 }), { minLength: 3, maxLength: 9 }), (calls) => {
        const sorted = calls.toSorted((a, b) => a - b);
        const decision = decideCall(sorted, 1000, LIMIT);
        if (!decision.allowed) {
          expect(decideCall(sorted, 1000 + decision.retryAfterMs, LIMIT).allowed).toBe(true);
        }
      }),
    );
  });

  it("shuts nobody out for longer when the clock was set back", () => {
    expect(decideCall([9e9, 9e9, 9e9], 0, LIMIT)).toEqual({ allowed: false, retryAfterMs: 1000 });
  });
});
