import { describe, expect, it } from "vitest";
import { ConsensusBench, GENESIS_TIME, NOW, TEST_TIMING } from "../../../test/harness/consensus.ts";
import { headerHash } from "./header.ts";

/** A node that is never the proposer of the first two rounds of height 1 among four. */
const FOLLOWER = 0;

/** Four validators, of which the node is one, in round 0. */
function started(own: number | null = FOLLOWER): ConsensusBench {
  const bench = new ConsensusBench(4, own);
  bench.do({ type: "work.arrived" });
  return bench;
}

describe("a single validator", () => {
  it("makes a block final at once, and saves what it signs before anything leaves", () => {
    const bench = new ConsensusBench(1, 0);
    bench.do({ type: "work.arrived" });
    expect(bench.all("produce_block")[0]?.frame).toMatchObject({ height: 1, proposer: bench.address(0) });
    const block = bench.block();
    const types = bench.do({ type: "block.produced", round: 0, block }).map(({ type }) => type);
    expect(types.slice(0, 3)).toEqual(["store_block", "store_block", "save_sign_state"]);
    expect(types.at(-1)).toBe("commit_block");
    const [commit] = bench.all("commit_block");
    expect(commit?.final.block).toBe(block);
    expect(commit?.final.certificate).toMatchObject({
      step: "precommit",
      block_hash: headerHash(block.header),
    });
    expect(bench.state.phase).toBe("final");
  });

  it("refuses a block of its own that is not what was asked for", () => {
    const bench = new ConsensusBench(1, 0);
    bench.do({ type: "work.arrived" });
    const block = bench.block(0, { time: GENESIS_TIME });
    expect(() => bench.do({ type: "block.produced", round: 0, block })).toThrow("not above its parent's");
  });
});

describe("round 0 starts", () => {
  it("with work, and asks for its timeout", () => {
    const bench = started();
    expect(bench.state.phase).toBe("deciding");
    const timeout = { kind: "propose", height: 1, round: 0 };
    expect(bench.all("schedule_timeout")).toEqual([
      { type: "schedule_timeout", timeout, delayMs: TEST_TIMING.proposeMs },
    ]);
  });

  it("with the empty-block interval, which is asked for when the height starts", () => {
    const bench = new ConsensusBench(4, FOLLOWER);
    expect(bench.all("schedule_timeout")[0]).toMatchObject({ delayMs: TEST_TIMING.emptyBlockMs });
    expect(bench.state.phase).toBe("waiting");
    bench.passTimeout("empty-block", 0);
    expect(bench.state.phase).toBe("deciding");
  });

  it("with a valid proposal, not with one that is still being validated", () => {
    const bench = new ConsensusBench(4, FOLLOWER);
    const block = bench.block();
    bench.hear(bench.proposal(0, block));
    expect(bench.state.phase).toBe("waiting");
    bench.validate(headerHash(block.header));
    expect(bench.votesSent()).toEqual([`prevote 0 ${headerHash(block.header)}`]);
  });

  it("with votes of f + 1 validators, not of f", () => {
    const bench = new ConsensusBench(4, FOLLOWER);
    bench.hearVotes([1], "prevote", 0, null);
    bench.hearVotes([1], "precommit", 0, null);
    expect(bench.state.phase).toBe("waiting");
    bench.hearVotes([2], "prevote", 0, null);
    expect(bench.state.phase).toBe("deciding");
  });
});

describe("a prevote", () => {
  it("is for a fresh block that is valid and timely", () => {
    const bench = started();
    const hash = bench.propose(0, bench.block());
    expect(bench.votesSent()).toEqual([`prevote 0 ${hash}`]);
  });

  it("is for none where the ledger refuses the block, or its time cannot be believed", () => {
    const refused = started();
    const block = refused.block();
    refused.hear(refused.proposal(0, block));
    refused.validate(headerHash(block.header), false);
    expect(refused.votesSent()).toEqual(["prevote 0 none"]);
    for (const time of [NOW - TEST_TIMING.toleranceMs - 1, NOW + TEST_TIMING.toleranceMs + 1]) {
      const bench = started();
      bench.propose(0, bench.block(0, { time }));
      expect(bench.votesSent()).toEqual(["prevote 0 none"]);
    }
  });

  it("tolerates more in each later round", () => {
    const bench = started();
    bench.hearVotes([1, 2], "prevote", 1, null);
    const hash = bench.propose(1, bench.block(1, { time: NOW + 2 * TEST_TIMING.toleranceMs }));
    expect(bench.votesSent()).toEqual([`prevote 1 ${hash}`]);
  });

  it("is for a block proposed again whatever its time, once the proof of lock is there", () => {
    const bench = started();
    bench.hearVotes([1, 2], "prevote", 1, null);
    const block = bench.block(0, { time: GENESIS_TIME + 1 });
    const hash = headerHash(block.header);
    bench.hear(bench.proposal(1, block, 0));
    expect(bench.votesSent()).toEqual([]);
    bench.hear({ type: "proof", certificate: bench.certificate([1, 2, 3], "prevote", 0, hash) });
    bench.validate(hash);
    expect(bench.votesSent()).toEqual([`prevote 1 ${hash}`]);
  });

  it("is for none where a fresh block names another maker than its proposer", () => {
    const bench = started();
    bench.propose(0, bench.block(0, { proposer: bench.address(0) }));
    expect(bench.votesSent()).toEqual(["prevote 0 none"]);
  });

  it("is for none when the proposal does not come in time", () => {
    const bench = started();
    bench.passTimeout("propose", 0);
    expect(bench.votesSent()).toEqual(["prevote 0 none"]);
    bench.propose(0, bench.block());
    expect(bench.votesSent()).toEqual([]);
  });
});

/** The node has locked a block in round 0, and is in round 1. Returns the block's hash. */
function locked(bench: ConsensusBench): string {
  const hash = bench.propose(0, bench.block());
  bench.hearVotes([1, 2], "prevote", 0, hash);
  expect(bench.votesSent()).toEqual([`precommit 0 ${hash}`]);
  bench.hearVotes([1, 2], "precommit", 0, null);
  bench.passTimeout("precommit", 0);
  expect(bench.state).toMatchObject({ round: 1, locks: { locked_round: 0, locked_hash: hash } });
  return hash;
}

describe("a lock", () => {
  it("is taken with a quorum of prevotes, after block and sign-state are on disk", () => {
    const bench = started();
    const hash = bench.propose(0, bench.block());
    bench.hearVotes([1, 2], "prevote", 0, hash);
    expect(bench.effects.map(({ type }) => type).slice(0, 3)).toEqual([
      "store_block",
      "save_sign_state",
      "send",
    ]);
    expect(bench.all("store_block")[0]?.stored.proof?.signatures).toHaveLength(3);
    expect(bench.all("save_sign_state")[0]?.signState).toMatchObject({
      ...{ height: 1, round: 0, step: "precommit", locked_round: 0, locked_hash: hash },
      ...{ valid_round: 0, valid_hash: hash },
    });
  });

  it("holds against another fresh block", () => {
    const bench = started();
    locked(bench);
    bench.propose(1, bench.block(1));
    expect(bench.votesSent()).toEqual(["prevote 1 none"]);
  });

  it("gives way to a block that a quorum prevoted in a later round", () => {
    const bench = started();
    locked(bench);
    bench.hearVotes([1, 2], "prevote", 2, null);
    const block = bench.block(1);
    const hash = headerHash(block.header);
    bench.propose(2, block, 1, bench.certificate([1, 2, 3], "prevote", 1, hash));
    expect(bench.votesSent()).toEqual([`prevote 2 ${hash}`]);
  });

  it("is what its holder proposes in its turn, with the proof", () => {
    const own =
      new ConsensusBench(4, null).set.findIndex(new ConsensusBench(4, null).set.proposer(1, 1)) ?? 0;
    const bench = started(own);
    const others = [0, 1, 2, 3].filter((index) => index !== own);
    const block = bench.block();
    const hash = bench.propose(0, block);
    bench.hearVotes(others.slice(0, 2), "prevote", 0, hash);
    bench.hearVotes(others.slice(0, 2), "precommit", 0, null);
    bench.passTimeout("precommit", 0);
    const [message] = bench.sent("proposal");
    expect(message).toMatchObject({ proposal: { round: 1, valid_round: 0, block_hash: hash }, block });
    expect(message?.proof?.signatures).toHaveLength(3);
    expect(bench.votesSent()).toEqual([`prevote 1 ${hash}`]);
  });
});

describe("a round", () => {
  it("precommits none after a quorum of prevotes for none", () => {
    const bench = started();
    bench.passTimeout("propose", 0);
    bench.hearVotes([1, 2], "prevote", 0, null);
    expect(bench.votesSent()).toEqual(["precommit 0 none"]);
  });

  it("waits for the rest of divided prevotes, once, then precommits none", () => {
    const bench = started();
    const hash = bench.propose(0, bench.block());
    bench.hearVotes([1, 2], "prevote", 0, null);
    const timeout = { kind: "prevote", height: 1, round: 0 };
    expect(bench.all("schedule_timeout")).toMatchObject([{ timeout, delayMs: TEST_TIMING.voteMs }]);
    bench.hearVotes([3], "prevote", 0, hash);
    expect(bench.all("schedule_timeout")).toEqual([]);
    bench.passTimeout("prevote", 0);
    expect(bench.votesSent()).toEqual(["precommit 0 none"]);
  });

  it("is followed by the next, whose timeouts are longer", () => {
    const bench = started();
    bench.passTimeout("propose", 0);
    bench.hearVotes([1, 2, 3], "precommit", 0, null);
    bench.passTimeout("precommit", 0);
    expect(bench.state.round).toBe(1);
    const delayMs = TEST_TIMING.proposeMs + 2 * TEST_TIMING.growthMs;
    expect(bench.all("schedule_timeout")).toMatchObject([{ delayMs }]);
  });

  it("is left for the highest that f + 1 validators have reached", () => {
    const bench = started();
    bench.hearVotes([1], "prevote", 7, null);
    expect(bench.state.round).toBe(0);
    bench.hearVotes([2], "precommit", 5, null);
    expect(bench.state.round).toBe(5);
  });

  it("does not end by a timeout of another", () => {
    const bench = started();
    bench.passTimeout("precommit", 3);
    bench.do({ type: "timeout.passed", timeout: { kind: "precommit", height: 2, round: 0 } });
    expect(bench.state.round).toBe(0);
  });
});

describe("a decision", () => {
  it("falls with a quorum of precommits, also of a round that is over", () => {
    const bench = started();
    const hash = locked(bench);
    const [vote] = [bench.vote(3, "precommit", 0, hash)];
    bench.hear({ type: "vote", vote });
    expect(bench.all("commit_block")).toEqual([]);
    // Two of the others precommitted none before: their votes for the block come within the final block only.
    const { blocks } = bench.state;
    const block = blocks.get(hash)?.block ?? bench.block();
    bench.hear({
      type: "final_block",
      block,
      certificate: bench.certificate([1, 2, 3], "precommit", 0, hash),
    });
    expect(bench.all("commit_block")[0]?.hash).toBe(hash);
    expect(bench.all("report_evidence").length).toBeGreaterThan(0);
  });

  it("stops the node when the ledger refuses the block that a quorum precommitted", () => {
    const bench = new ConsensusBench(4, null);
    const block = bench.block();
    const hash = headerHash(block.header);
    bench.hear({
      type: "final_block",
      block,
      certificate: bench.certificate([1, 2, 3], "precommit", 0, hash),
    });
    bench.validate(hash, false);
    expect(bench.all("halt")).toHaveLength(1);
    expect(bench.all("commit_block")).toEqual([]);
  });
});

describe("a node without a vote", () => {
  it("follows and signs nothing", () => {
    const bench = started(null);
    const hash = bench.propose(0, bench.block());
    bench.hearVotes([0, 1, 2], "prevote", 0, hash);
    bench.hearVotes([0, 1], "precommit", 0, hash);
    expect(bench.all("send")).toEqual([]);
    bench.hearVotes([2], "precommit", 0, hash);
    expect(bench.all("commit_block")[0]?.hash).toBe(hash);
    expect(bench.all("save_sign_state")).toEqual([]);
  });

  it("signs nothing with a key that is not in the set", () => {
    const bench = started(null);
    const signers = [0, 1, 2, 3, 4].map((own) => new ConsensusBench(5, own).settings.signer);
    const signer = signers.find((one) => one && !bench.set.has(one.address)) ?? null;
    expect(signer).not.toBeNull();
    bench.state = { ...bench.state, settings: { ...bench.settings, signer } };
    bench.propose(0, bench.block());
    expect(bench.state.step).toBe("prevote");
    expect(bench.all("send")).toEqual([]);
  });
});
