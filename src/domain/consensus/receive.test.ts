import { describe, expect, it } from "vitest";
import { ConsensusBench, NOW } from "../../../test/harness/consensus.ts";
import { verifyEvidence } from "./evidence.ts";
import { headerHash } from "./header.ts";
import type { StatusMessage } from "./message.ts";
import { KEPT_ROUNDS } from "./rounds.ts";

const HASH = "a".repeat(64);
/** Rounds beyond the current one of which a validator's votes are kept. */
const FUTURE_ROUNDS = 2;

function started(own: number | null = 0): ConsensusBench {
  const bench = new ConsensusBench(4, own);
  bench.do({ type: "work.arrived" });
  return bench;
}

/** What a peer without anything says. */
function emptyStatus(changes: Partial<StatusMessage> = {}): StatusMessage {
  return {
    ...{ type: "status", height: 1, round: 0, has_proposal: false, prevotes: "", precommits: "" },
    ...{ proof_round: -1, missing: null },
    ...changes,
  };
}

const reasons = (bench: ConsensusBench): readonly string[] =>
  bench.all("report_peer").map(({ reason }) => reason);

describe("a message that no honest node sends", () => {
  it("is reported, and changes nothing: votes", () => {
    const bench = started();
    const before = bench.state.rounds;
    const vote = bench.vote(1, "prevote", 0, HASH);
    bench.hear({ type: "vote", vote: { ...vote, block_hash: null } });
    expect(reasons(bench)).toEqual(["a vote that does not verify"]);
    bench.hear({ type: "vote", vote: { ...vote, validator: new ConsensusBench(5, null).address(4) } });
    expect(reasons(bench)).toHaveLength(1);
    expect(bench.state.rounds).toBe(before);
  });

  it("is reported, and changes nothing: proposals", () => {
    const bench = started();
    const before = bench.state;
    const good = bench.proposal(0, bench.block());
    const other = bench.block(0, { time: NOW + 1 });
    bench.hear({ ...good, block: other });
    expect(reasons(bench)).toEqual(["a proposal of another block"]);
    bench.hear({
      ...good,
      proposal: { ...good.proposal, block_hash: headerHash(other.header) },
      block: other,
    });
    expect(reasons(bench)).toEqual(["a proposal that does not verify"]);
    bench.hear({ ...good, proposal: { ...good.proposal, proposer: bench.address(3) } });
    expect(reasons(bench)).toEqual(["a proposal out of turn"]);
    expect(bench.state).toMatchObject({ rounds: before.rounds, blocks: before.blocks });
  });

  it("is reported, and changes nothing: certificates", () => {
    const bench = started();
    const block = bench.block();
    const hash = headerHash(block.header);
    bench.hear({ type: "proof", certificate: bench.certificate([1, 2], "prevote", 0, hash) });
    expect(reasons(bench)).toEqual(["a proof that does not verify"]);
    bench.hear({ type: "proof", certificate: bench.certificate([1, 2, 3], "precommit", 0, hash) });
    expect(reasons(bench)).toEqual(["a proof of something else"]);
    bench.hear({ type: "final_block", block, certificate: bench.certificate([1, 2, 3], "prevote", 0, hash) });
    expect(reasons(bench)).toEqual(["a certificate of something else"]);
    bench.hear({
      type: "final_block",
      block,
      certificate: bench.certificate([1, 2, 3], "precommit", 0, HASH),
    });
    expect(reasons(bench)).toEqual(["a certificate of something else"]);
    expect(bench.state.rounds.size).toBe(0);
  });
});

describe("a block that cannot stand at this height", () => {
  const prevoteFor = (
    changes: Parameters<ConsensusBench["block"]>[1],
    transactions?: readonly string[],
  ): string => {
    const bench = started();
    bench.propose(0, bench.block(0, changes, transactions));
    return bench.votesSent()[0]?.replace(/[0-9a-f]{64}/, "it") ?? "";
  };

  it.each([
    ["chain_id", { chain_id: "other" }],
    ["parent_hash", { parent_hash: HASH }],
    ["time", { time: NOW - 10_000 }],
    ["validators_hash", { validators_hash: HASH }],
    ["next_validators_hash", { next_validators_hash: HASH }],
    ["proposer", { proposer: "ait1nobody00" }],
  ])("is not prevoted: another %s", (_, changes) => {
    expect(prevoteFor({})).toBe("prevote 0 it");
    expect(prevoteFor(changes)).toBe("prevote 0 none");
  });

  it("is not prevoted: too large", () => {
    expect(prevoteFor({}, ["x".repeat(9_000)])).toBe("prevote 0 it");
    expect(prevoteFor({}, ["x".repeat(9_900)])).toBe("prevote 0 none");
  });
});

describe("equivocation", () => {
  it("is reported once, with evidence that verifies", () => {
    const bench = started();
    bench.hearVotes([1], "prevote", 0, null);
    bench.hearVotes([1], "prevote", 0, HASH);
    const [report] = bench.all("report_evidence");
    const key = bench.keys[1]?.publicKey ?? new Uint8Array(32);
    expect(report && verifyEvidence(report.evidence, bench.settings.realm, key)).toBe(true);
    bench.hearVotes([1], "prevote", 0, "b".repeat(64));
    expect(bench.all("report_evidence")).toEqual([]);
  });

  it("of a proposer is reported too", () => {
    const bench = started();
    bench.hear(bench.proposal(0, bench.block()));
    bench.hear(bench.proposal(0, bench.block(0, { time: NOW + 1 })));
    expect(bench.all("report_evidence")[0]?.evidence.kind).toBe("proposals");
  });

  it("does not keep a quorum from being seen: the proof counts beside the vote that came first", () => {
    const bench = started();
    bench.passTimeout("propose", 0);
    bench.hearVotes([3], "prevote", 0, null);
    const block = bench.block();
    const hash = headerHash(block.header);
    bench.hear(bench.proposal(0, block));
    bench.hearVotes([1, 2], "prevote", 0, hash);
    bench.validate(hash);
    expect(bench.votesSent()).toEqual([]);
    bench.hear({ type: "proof", certificate: bench.certificate([1, 2, 3], "prevote", 0, hash) });
    expect(bench.votesSent()).toEqual([`precommit 0 ${hash}`]);
    expect(bench.all("report_evidence")).toHaveLength(1);
  });
});

describe("what is kept", () => {
  it("of one validator's votes for rounds to come are the latest two", () => {
    const bench = started();
    for (let round = 1; round <= 50; round++) bench.hearVotes([1], "prevote", round, null);
    const rounds = [...bench.state.rounds].filter(([, { prevotes }]) => prevotes.votes.size > 0);
    expect(rounds.map(([round]) => round)).toEqual([50 - 1, 50].slice(-FUTURE_ROUNDS));
  });

  it("of proposals are those of this round and the next", () => {
    const bench = started();
    bench.hear(bench.proposal(2, bench.block(2)));
    expect(bench.state.blocks.size).toBe(0);
    bench.hear(bench.proposal(1, bench.block(1)));
    expect(bench.state.blocks.size).toBe(1);
  });

  it("of past rounds are the last ones", () => {
    const bench = started();
    for (let round = 1; round <= 2 * KEPT_ROUNDS; round++) bench.hearVotes([1, 2], "prevote", round, null);
    expect(bench.state.round).toBe(2 * KEPT_ROUNDS);
    expect(bench.state.rounds.size).toBeLessThanOrEqual(KEPT_ROUNDS + 1);
    bench.hearVotes([1, 2], "precommit", 0, null);
    expect(bench.state.rounds.has(0)).toBe(false);
  });
});

describe("a status", () => {
  it("is answered with what the peer lacks", () => {
    const bench = started();
    const hash = bench.propose(0, bench.block());
    bench.hearVotes([1, 2], "prevote", 0, hash);
    bench.hear(emptyStatus());
    expect(bench.sent("proposal")).toHaveLength(1);
    expect(bench.sent("proof")).toHaveLength(1);
    expect(bench.votesSent().toSorted()).toEqual([
      `precommit 0 ${hash}`,
      ...Array.from({ length: 3 }, () => `prevote 0 ${hash}`),
    ]);
    expect(bench.all("send").every(({ to }) => to === "peer")).toBe(true);
  });

  it("is answered with nothing when the peer has all of it", () => {
    const bench = started();
    const hash = bench.propose(0, bench.block());
    bench.hearVotes([1, 2], "prevote", 0, hash);
    bench.do({ type: "gossip.due" });
    const [status] = bench.sent("status");
    expect(status).toMatchObject({ has_proposal: true, prevotes: "07", precommits: "01", proof_round: 0 });
    if (status) bench.hear(status);
    expect(bench.all("send")).toEqual([]);
  });

  it("of a lower round is answered with the latest vote of each, so that the peer can skip", () => {
    const bench = started();
    bench.hearVotes([1, 2], "prevote", 3, null);
    bench.hear(emptyStatus());
    expect(bench.votesSent()).toEqual(["prevote 3 none", "prevote 3 none"]);
  });

  it("of a lower height is answered with a final block, of a higher one with nothing", () => {
    const bench = started();
    const hash = bench.propose(0, bench.block());
    bench.hearVotes([1, 2], "prevote", 0, hash);
    bench.hearVotes([1, 2], "precommit", 0, hash);
    bench.hear(emptyStatus());
    expect(bench.effects).toEqual([{ type: "send_final_block", to: "peer", height: 1 }]);
    bench.hear(emptyStatus({ height: 2 }));
    expect(bench.effects).toEqual([]);
  });

  it("names a block that a quorum voted for and that never came, and the block is taken then only", () => {
    const bench = started();
    const block = bench.block();
    const hash = headerHash(block.header);
    bench.hear({ type: "block", block });
    expect(bench.state.blocks.size).toBe(0);
    bench.hearVotes([1, 2, 3], "precommit", 0, hash);
    bench.do({ type: "gossip.due", peer: "peer" });
    expect(bench.sent("status")[0]?.missing).toBe(hash);
    bench.hear({ type: "block", block });
    bench.validate(hash);
    expect(bench.all("commit_block")[0]?.hash).toBe(hash);
    const helper = started();
    helper.propose(0, block);
    helper.hear(emptyStatus({ missing: hash, has_proposal: true }));
    expect(helper.sent("block")).toHaveLength(1);
  });
});

describe("a node that is behind", () => {
  it("asks the one that sent a final block for the next, as soon as it has applied that", () => {
    const bench = new ConsensusBench(4, null);
    const block = bench.block();
    const hash = headerHash(block.header);
    bench.hear({
      type: "final_block",
      block,
      certificate: bench.certificate([1, 2, 3], "precommit", 0, hash),
    });
    bench.validate(hash);
    expect(bench.all("commit_block")).toHaveLength(1);
    bench.do({ type: "height.started", input: { ...bench.input, height: 2 } });
    expect(bench.all("send")).toMatchObject([{ to: "peer", message: { type: "status", height: 2 } }]);
  });
});

describe("messages of the next height", () => {
  it("are kept for it: the first vote of each, and the proposal of round 0", () => {
    const bench = started();
    const vote = bench.vote(1, "prevote", 0, null, 2);
    bench.hear({ type: "vote", vote });
    bench.hear({ type: "vote", vote: bench.vote(2, "prevote", 5, null, 2) });
    bench.hear({ type: "vote", vote: { ...bench.vote(2, "prevote", 0, null, 2), block_hash: HASH } });
    expect(reasons(bench)).toEqual(["a vote that does not verify"]);
    bench.do({ type: "height.started", input: { ...bench.input, height: 2 } });
    expect([...(bench.state.rounds.get(0)?.prevotes.votes.values() ?? [])]).toEqual([vote]);
  });

  it("keep their fairness by the time of their arrival", () => {
    const bench = started();
    const input = { ...bench.input, height: 2 };
    const ahead = started();
    ahead.do({ type: "height.started", input });
    const message = ahead.proposal(0, ahead.block());
    bench.hear(message);
    expect(reasons(bench)).toEqual([]);
    bench.do({ type: "height.started", input });
    expect(bench.all("validate_block")).toHaveLength(1);
    bench.validate(message.proposal.block_hash);
    expect(bench.votesSent()).toEqual([`prevote 0 ${message.proposal.block_hash}`]);
  });
});
