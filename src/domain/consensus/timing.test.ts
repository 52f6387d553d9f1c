import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { TEST_TIMING } from "../../../test/harness/consensus.ts";
import { isTimely, timeoutMs } from "./timing.ts";

const duration = fc.integer({ min: 1, max: 60_000 });

describe("timeouts", () => {
  it("are long enough in some round for any delay, as lemma 5 of the paper asks", () => {
    fc.assert(
      fc.property(duration, duration, duration, duration, (proposeMs, voteMs, growthMs, delayMs) => {
        const timing = { ...TEST_TIMING, proposeMs, voteMs, growthMs };
        const isLongEnough = (round: number): boolean =>
          timeoutMs(timing, "propose", round) > 2 * delayMs + timeoutMs(timing, "precommit", round - 1) &&
          timeoutMs(timing, "prevote", round) > 2 * delayMs &&
          timeoutMs(timing, "precommit", round) > 2 * delayMs;
        const round = Math.ceil((2 * delayMs + voteMs) / growthMs) + 1;
        expect(isLongEnough(round)).toBe(true);
        expect(isLongEnough(round + 100)).toBe(true);
      }),
    );
  });

  it("of the empty block are the same in any round", () => {
    expect(timeoutMs(TEST_TIMING, "empty-block", 9)).toBe(TEST_TIMING.emptyBlockMs);
  });
});

describe("a block's time", () => {
  it("is believed within the tolerance on both sides, which each round widens", () => {
    const { toleranceMs } = TEST_TIMING;
    fc.assert(
      fc.property(fc.nat(20), fc.integer({ min: -20_000, max: 20_000 }), (round, offMs) => {
        const expected = Math.abs(offMs) <= toleranceMs * (round + 1);
        expect(isTimely(TEST_TIMING, 1_000_000 + offMs, 1_000_000, round)).toBe(expected);
      }),
    );
  });
});
