import { describe, expect, it } from "vitest";
import { ConsensusBench, NOW } from "../../../test/harness/consensus.ts";
import { headerHash } from "./header.ts";
import { lostSignState } from "./sign-state.ts";

const FOLLOWER = 0;

/** Four validators, of which the node is one, in round 0. */
function started(): ConsensusBench {
  const bench = new ConsensusBench(4, FOLLOWER);
  bench.do({ type: "work.arrived" });
  return bench;
}

describe("a validator that comes back after a crash", () => {
  it("says the same bytes again, and keeps lock and place", () => {
    const before = started();
    const hash = before.propose(0, before.block());
    const [prevote] = before.sent("vote");
    before.hearVotes([1, 2], "prevote", 0, hash);
    const [precommit] = before.sent("vote");
    const { signState } = before.state;
    const after = new ConsensusBench(
      4,
      FOLLOWER,
      signState,
      [before.all("store_block")[0]?.stored].flatMap((s) => s ?? []),
    );
    expect(after.sent("vote")).toEqual([prevote, precommit]);
    expect(after.all("save_sign_state")).toEqual([]);
    expect(after.state).toMatchObject({ round: 0, step: "precommit", locks: { locked_hash: hash } });
    after.validate(hash);
    after.hearVotes([1, 2], "precommit", 0, hash);
    expect(after.all("commit_block")[0]?.hash).toBe(hash);
  });

  it("forgets what it signed and neither saved nor sent, also where it was stored within a proof", () => {
    const before = started();
    before.hearVotes([1], "prevote", 1, null);
    before.hearVotes([2], "precommit", 1, null);
    before.passTimeout("propose", 1);
    const { signState } = before.state;
    const block = before.block(2);
    const hash = headerHash(block.header);
    before.hearVotes([1, 2], "prevote", 2, hash);
    before.propose(2, block);
    expect(before.votesSent()).toEqual([`prevote 2 ${hash}`, `precommit 2 ${hash}`]);
    const stored = before.all("store_block").map((effect) => effect.stored);
    expect(stored[0]?.proof?.signatures).toHaveLength(3);
    const after = new ConsensusBench(4, FOLLOWER, signState, stored);
    after.hearVotes([1], "prevote", 2, null);
    after.hearVotes([2], "precommit", 2, null);
    after.passTimeout("propose", 2);
    expect(after.votesSent()).toEqual(["prevote 2 none"]);
    after.do({ type: "gossip.due" });
    expect(after.all("report_evidence")).toEqual([]);
    expect(after.sent("status")[0]?.proof_round).toBe(-1);
  });

  it("tells the proof that it saved from an earlier one with a vote that it did not", () => {
    const before = started();
    before.hearVotes([1, 2], "precommit", 2, null);
    const { signState } = before.state;
    const block = before.block(2);
    const hash = before.propose(2, block);
    before.hearVotes([1, 2], "prevote", 2, hash);
    const lost = before.all("store_block").map(({ stored }) => stored);
    expect(lost[0]?.proof?.signatures.map(({ validator }) => validator)).toContain(before.address(FOLLOWER));
    const again = new ConsensusBench(4, FOLLOWER, signState);
    again.do({ type: "work.arrived" });
    again.hearVotes([1, 2], "precommit", 2, null);
    again.passTimeout("propose", 2);
    again.hear(again.proposal(2, block));
    again.hearVotes([1, 2, 3], "prevote", 2, hash);
    again.validate(hash);
    expect(again.state.signState.valid_hash).toBe(hash);
    const saved = again.all("store_block").map(({ stored }) => stored);
    const after = new ConsensusBench(4, FOLLOWER, again.state.signState, [...lost, ...saved]);
    expect(after.all("report_evidence")).toEqual([]);
    expect(after.state.rounds.get(2)?.prevotes.certificate).toEqual(saved.at(-1)?.proof);
  });

  it("takes the proof of the block that it saved as valid, not one of another block for the same round", () => {
    const before = new ConsensusBench(1, 0);
    before.do({ type: "work.arrived" });
    before.do({ type: "block.produced", round: 0, block: before.block() });
    const lost = before.all("store_block");
    const again = new ConsensusBench(
      1,
      0,
      undefined,
      lost.map(({ stored }) => stored),
    );
    again.do({ type: "work.arrived" });
    again.do({ type: "block.produced", round: 0, block: again.block(0, { time: NOW + 1 }) });
    const saved = again.all("store_block");
    const { signState } = again.state;
    const after = new ConsensusBench(
      1,
      0,
      signState,
      [...lost, ...saved].map(({ stored }) => stored),
    );
    expect(after.all("report_evidence")).toEqual([]);
    after.validate(signState.valid_hash ?? "");
    expect(after.all("commit_block")[0]?.hash).toBe(signState.valid_hash);
  });

  it("never signs below the place it signed at", () => {
    const before = started();
    before.hearVotes([1], "prevote", 4, null);
    before.hearVotes([2], "precommit", 4, null);
    before.passTimeout("propose", 4);
    const { signState } = before.state;
    expect(signState).toMatchObject({ round: 4, step: "prevote" });
    const after = new ConsensusBench(4, FOLLOWER, signState);
    expect(after.state.round).toBe(4);
    after.passTimeout("propose", 4);
    expect(after.votesSent()).toEqual([]);
  });

  it("keeps lock and place also where its blocks were rolled back, and it comes to the height anew", () => {
    const before = started();
    const hash = before.propose(0, before.block());
    before.hearVotes([1, 2], "prevote", 0, hash);
    const { signState } = before.state;
    const after = new ConsensusBench(4, FOLLOWER);
    after.state = { ...after.state, signState, input: { ...after.input, height: 0 } };
    after.do({ type: "height.started", input: after.input });
    expect(after.state).toMatchObject({ phase: "deciding", round: 0, step: "precommit" });
    expect(after.state.locks.locked_hash).toBe(hash);
    expect(after.votesSent()).toEqual([`prevote 0 ${hash}`, `precommit 0 ${hash}`]);
    after.hearVotes([1], "prevote", 1, null);
    after.hearVotes([2], "precommit", 1, null);
    after.propose(1, after.block(1));
    expect(after.votesSent()).toEqual(["prevote 1 none"]);
  });

  it("signs nothing after its sign-state was lost, until two new blocks are final or somebody allows it", () => {
    const bench = new ConsensusBench(4, FOLLOWER, lostSignState(NOW));
    bench.do({ type: "work.arrived" });
    bench.propose(0, bench.block());
    expect(bench.votesSent()).toEqual([]);
    const next = (height: number, time: number): void => {
      const parent = { ...bench.input.parent, time };
      bench.do({ type: "height.started", input: { ...bench.input, height, parent } });
      bench.do({ type: "work.arrived" });
      bench.do({ type: "timeout.passed", timeout: { kind: "propose", height, round: 0 } });
    };
    // A block from before the loss counts for nothing.
    next(2, NOW);
    next(3, NOW + 1);
    expect(bench.votesSent()).toEqual([]);
    next(4, NOW + 2);
    expect(bench.votesSent()).toEqual(["prevote 0 none"]);
    const allowed = new ConsensusBench(4, FOLLOWER, lostSignState(NOW));
    allowed.do({ type: "signing.allowed" });
    expect(allowed.all("save_sign_state")[0]?.signState.waiting).toBeNull();
  });
});
