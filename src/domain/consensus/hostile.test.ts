import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ConsensusBench, NOW } from "../../../test/harness/consensus.ts";
import { headerHash } from "./header.ts";
import type { ConsensusMessage } from "./message.ts";
import { VOTE_STEPS } from "./vote.ts";

/** The faulty validator, which proposes in every fourth round, the first included. */
const FAULTY = 1;

const maker = new ConsensusBench(4, FAULTY);
const blocks = [0, 1, 2].map((ms) => maker.block(0, { time: NOW + ms }));
const hashes = [...blocks.map(({ header }) => headerHash(header)), null];

const round = fc.oneof(fc.nat(4), fc.maxSafeNat());
const step = fc.constantFrom(...VOTE_STEPS);
const hash = fc.constantFrom(...hashes);
const block = fc.constantFrom(...blocks);

/** Messages in their right form, signed by the faulty validator, and otherwise anything. */
const message: fc.Arbitrary<ConsensusMessage> = fc.oneof(
  fc.record({
    type: fc.constant("vote" as const),
    vote: fc
      .tuple(step, round, hash, fc.constantFrom(1, 2))
      .map(([a, b, c, height]) => maker.vote(FAULTY, a, b, c, height)),
  }),
  fc
    .tuple(fc.constantFrom(0, 4, 8), block, fc.integer({ min: -1, max: 4 }))
    .map(([a, b, c]) => maker.proposal(a, b, c)),
  fc.record({
    type: fc.constant("proof" as const),
    certificate: fc
      .tuple(step, round, fc.constantFrom([FAULTY], [FAULTY, FAULTY, FAULTY], []))
      .map(([a, b, c]) => maker.certificate(c, a, b, hashes[0] ?? "")),
  }),
  fc.record({ type: fc.constant("block" as const), block }),
  fc.record({
    type: fc.constant("status" as const),
    height: fc.oneof(fc.nat(3), fc.maxSafeNat()),
    round,
    has_proposal: fc.boolean(),
    prevotes: fc.string({ maxLength: 6 }),
    precommits: fc.string({ maxLength: 6 }),
    proof_round: fc.integer({ min: -1, max: 4 }),
    missing: hash,
  }),
);

/** Most rounds, and blocks, that one faulty validator can make a node keep. */
const MAX_KEPT = 8;

describe("one faulty validator", () => {
  it("throws no node over, fills no memory, and makes nothing final, whatever it sends in whatever order", () => {
    fc.assert(
      fc.property(fc.array(message, { maxLength: 60 }), (messages) => {
        const bench = new ConsensusBench(4, 0);
        bench.do({ type: "work.arrived" });
        for (const one of messages) {
          bench.hear(one);
          expect(bench.all("commit_block")).toEqual([]);
          expect(bench.all("halt")).toEqual([]);
          for (const { hash: asked } of bench.all("validate_block")) bench.validate(asked);
        }
        expect(bench.state.round).toBe(0);
        expect(bench.state.locks.locked_hash).toBeNull();
        expect(bench.state.rounds.size).toBeLessThanOrEqual(MAX_KEPT);
        expect(bench.state.blocks.size).toBeLessThanOrEqual(MAX_KEPT);
        expect(bench.state.early.size).toBeLessThanOrEqual(MAX_KEPT);
      }),
    );
  });
});
