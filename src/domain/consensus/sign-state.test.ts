import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ConsensusBench } from "../../../test/harness/consensus.ts";
import {
  afterFinalBlock,
  formatSignState,
  lostSignState,
  maySign,
  NEW_SIGN_STATE,
  NO_LOCKS,
  parseSignState,
  recordProposal,
  recordVote,
  type SignState,
  STEPS,
} from "./sign-state.ts";

const bench = new ConsensusBench(4, 1);
const HASH = "ab".repeat(32);
const place = fc.record({ height: fc.nat(3), round: fc.nat(3), step: fc.constantFrom(...STEPS) });

/** After a proposal in round 1, votes in rounds 1 and 2 of height 1, and a lock. */
function signed(): SignState {
  const locks = { locked_round: 1, locked_hash: HASH, valid_round: 1, valid_hash: HASH, valid_proof: HASH };
  const proposed = recordProposal(NEW_SIGN_STATE, bench.proposal(1, bench.block()).proposal, NO_LOCKS);
  const prevoted = recordVote(proposed, bench.vote(1, "prevote", 1, HASH), NO_LOCKS);
  const locked = recordVote(prevoted, bench.vote(1, "precommit", 1, HASH), locks);
  return recordVote(locked, bench.vote(1, "prevote", 2, HASH), locks);
}

describe("a sign-state", () => {
  it("lets a place be signed for only beyond the furthest one", () => {
    const order = ({
      height,
      round,
      step,
    }: {
      height: number;
      round: number;
      step: (typeof STEPS)[number];
    }): number => height * 100 + round * 10 + STEPS.indexOf(step);
    fc.assert(
      fc.property(place, place, (at, next) => {
        expect(maySign({ ...NEW_SIGN_STATE, ...at }, next)).toBe(order(next) > order(at));
      }),
    );
    expect(maySign(NEW_SIGN_STATE, { height: 1, round: 0, step: "propose" })).toBe(true);
  });

  it("keeps what was signed in this round and the one before", () => {
    const signState = signed();
    expect(signState.votes.map(({ round, step }) => `${round} ${step}`)).toEqual([
      "1 prevote",
      "1 precommit",
      "2 prevote",
    ]);
    expect(signState.proposals.map(({ round }) => round)).toEqual([1]);
    const later = recordVote(signState, bench.vote(1, "prevote", 3, null), NO_LOCKS);
    expect(later.votes.map(({ round }) => round)).toEqual([2, 3]);
    expect(later.proposals).toEqual([]);
    const nextHeight = recordVote(signState, bench.vote(1, "prevote", 0, null, 2), NO_LOCKS);
    expect(nextHeight.votes.map(({ height }) => height)).toEqual([2]);
  });

  it("comes back from its file as it was, and is refused when damaged", () => {
    for (const signState of [NEW_SIGN_STATE, signed(), lostSignState(5)]) {
      expect(parseSignState(formatSignState(signState))).toEqual(signState);
    }
    const text = formatSignState(signed());
    for (let end = 0; end < text.length; end += 7) expect(() => parseSignState(text.slice(0, end))).toThrow();
    expect(() => parseSignState(text.replace('"round":2', '"round":-2'))).toThrow("/round");
  });

  it("of a lost one waits for two blocks that were made after the loss", () => {
    const lost = lostSignState(1_000);
    expect(afterFinalBlock(lost, 1_000)).toBe(lost);
    const once = afterFinalBlock(lost, 1_001);
    expect(maySign(once, { height: 9, round: 0, step: "prevote" })).toBe(false);
    expect(maySign(afterFinalBlock(once, 1_002), { height: 9, round: 0, step: "prevote" })).toBe(true);
  });
});
