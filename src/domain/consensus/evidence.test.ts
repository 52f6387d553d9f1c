import { describe, expect, it } from "vitest";
import { ConsensusBench, GENESIS_REALM } from "../../../test/harness/consensus.ts";
import {
  findProposalEvidence,
  findVoteEvidence,
  formatEvidence,
  offenceOf,
  parseEvidence,
  verifyEvidence,
} from "./evidence.ts";

const bench = new ConsensusBench(4, 0);
const HASH = "ab".repeat(32);
const key = bench.keys[1]?.publicKey ?? new Uint8Array(32);
const first = bench.vote(1, "prevote", 2, HASH);
const second = bench.vote(1, "prevote", 2, null);

describe("evidence", () => {
  it("is the same whichever vote came first, and says what it proves", () => {
    const evidence = findVoteEvidence(first, second);
    if (!evidence) throw new Error("no evidence");
    expect(findVoteEvidence(second, first)).toEqual(evidence);
    expect(verifyEvidence(evidence, GENESIS_REALM, key)).toBe(true);
    expect(offenceOf(evidence)).toEqual({
      validator: bench.address(1),
      height: 1,
      round: 2,
      step: "prevote",
    });
    expect(parseEvidence(formatEvidence(evidence))).toEqual(evidence);
  });

  it("is also of two proposals, and of one block proposed with two proofs", () => {
    const block = bench.block();
    const one = bench.proposal(3, block, 0).proposal;
    const other = bench.proposal(3, block, 1).proposal;
    const evidence = findProposalEvidence(one, other);
    const index = bench.set.findIndex(one.proposer) ?? 0;
    const proposerKey = bench.keys[index]?.publicKey ?? key;
    expect(evidence && verifyEvidence(evidence, GENESIS_REALM, proposerKey)).toBe(true);
    expect(evidence && offenceOf(evidence).step).toBe("propose");
    expect(findProposalEvidence(one, one)).toBeUndefined();
  });

  it("is none of votes that do not contradict each other", () => {
    expect(findVoteEvidence(first, first)).toBeUndefined();
    expect(findVoteEvidence(first, bench.vote(2, "prevote", 2, null))).toBeUndefined();
    expect(findVoteEvidence(first, bench.vote(1, "precommit", 2, null))).toBeUndefined();
    expect(findVoteEvidence(first, bench.vote(1, "prevote", 3, null))).toBeUndefined();
    expect(findVoteEvidence(first, bench.vote(1, "prevote", 2, null, 2))).toBeUndefined();
  });

  it("proves nothing with a signature that does not hold, or that is another's", () => {
    const forged = { ...second, signature: first.signature };
    const evidence = findVoteEvidence(first, forged);
    expect(evidence && verifyEvidence(evidence, GENESIS_REALM, key)).toBe(false);
    const honest = findVoteEvidence(first, second);
    const other = bench.keys[2]?.publicKey ?? key;
    expect(honest && verifyEvidence(honest, GENESIS_REALM, other)).toBe(false);
  });

  it("is refused when its messages are in the other order, agree, or are not two", () => {
    const text = formatEvidence(
      findVoteEvidence(first, second) ?? { v: 1, kind: "votes", messages: [first, first] },
    );
    const { messages } = JSON.parse(text) as { messages: readonly unknown[] };
    const write = (list: readonly unknown[]): string =>
      JSON.stringify({ kind: "votes", messages: list, v: 1 });
    expect(parseEvidence(write(messages))).toBeDefined();
    for (const list of [messages.toReversed(), [messages[0], messages[0]], [messages[0]], []]) {
      expect(() => parseEvidence(write(list))).toThrow("/messages: expected");
    }
  });
});
