import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { RateLimiter } from "./rate-limit.ts";

describe("rate limiter", () => {
  it("lets a burst through, then one call an interval", () => {
    const limiter = new RateLimiter(10, 3);
    const allowed = (now: number) => limiter.take("a", now).allowed;
    expect([allowed(0), allowed(0), allowed(0), allowed(0)]).toEqual([true, true, true, false]);
    expect(allowed(99)).toBe(false);
    expect(allowed(100)).toBe(true);
    expect(allowed(100)).toBe(false);
  });

  it("tells what is left, when all of it is back, and when to try again", () => {
    const limiter = new RateLimiter(1, 2);
    expect(limiter.take("a", 0)).toEqual({
      allowed: true,
      remaining: 1,
      resetSeconds: 1,
      retryAfterSeconds: 0,
    });
    expect(limiter.take("a", 0)).toEqual({
      allowed: true,
      remaining: 0,
      resetSeconds: 2,
      retryAfterSeconds: 0,
    });
    expect(limiter.take("a", 0)).toEqual({
      allowed: false,
      remaining: 0,
      resetSeconds: 2,
      retryAfterSeconds: 1,
    });
  });

  it("counts callers apart", () => {
    const limiter = new RateLimiter(1, 1);
    expect(limiter.take("a", 0).allowed).toBe(true);
    expect(limiter.take("b", 0).allowed).toBe(true);
    expect(limiter.take("a", 0).allowed).toBe(false);
  });

  it("never lets more through than burst and rate allow, whatever the calls", () => {
    const gaps = fc.array(fc.integer({ min: 0, max: 500 }), { maxLength: 200 });
    fc.assert(
      fc.property(
        gaps,
        fc.integer({ min: 1, max: 50 }),
        fc.integer({ min: 1, max: 20 }),
        (waits, rate, burst) => {
          const limiter = new RateLimiter(rate, burst);
          let now = 0;
          let through = 0;
          for (const wait of waits) {
            now += wait;
            if (limiter.take("a", now).allowed) through++;
          }
          expect(through).toBeLessThanOrEqual(burst + Math.floor((now * rate) / 1000) + 1);
        },
      ),
    );
  });
});
