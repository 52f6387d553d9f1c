/** Takes verified messages into the state, and notices when a validator contradicts itself. */
import { addVote, type Ballots, votesOf } from "./ballots.ts";
import type { Block } from "./block.ts";
import type { Certificate } from "./certificate.ts";
import { findBlockProblem } from "./check-block.ts";
import { type Evidence, findProposalEvidence, findVoteEvidence, offenceOf } from "./evidence.ts";
import type { Proposal } from "./proposal.ts";
import { getRound, type Round, type State } from "./state.ts";
import type { Vote, VoteStep } from "./vote.ts";
import type { Work } from "./work.ts";

/**
 * Rounds beyond the current one of which one validator's votes are kept: its latest counts for a skip, one more
 * bridges the moment of skipping. A faulty validator can sign votes of any number of rounds.
 */
const FUTURE_ROUNDS = 2;

const BALLOTS = { prevote: "prevotes", precommit: "precommits" } as const satisfies Record<
  VoteStep,
  keyof Round
>;

/** The votes of a step. */
export function ballotsOf(round: Round, step: VoteStep): Ballots {
  return round[BALLOTS[step]];
}

/** Counts a verified vote of this height, unless its validator voted in this step before. */
export function acceptVote(work: Work, vote: Vote): void {
  const ballots = ballotsOf(getRound(work.state, vote.round), vote.step);
  const first = ballots.votes.get(vote.validator);
  if (first) {
    report(work, findVoteEvidence(first, vote));
    return;
  }
  const { validators } = work.state.input;
  work.updateRound(vote.round, { [BALLOTS[vote.step]]: addVote(ballots, vote, validators) });
  if (vote.round > work.state.round) forgetEarlierOfFuture(work, vote.validator);
}

/** Takes a verified certificate of this height: its votes, and the quorum even where a vote was counted otherwise. */
export function acceptCertificate(work: Work, certificate: Certificate): void {
  const { round, step } = certificate;
  const ballots = ballotsOf(getRound(work.state, round), step);
  if (ballots.certificate === null) work.updateRound(round, { [BALLOTS[step]]: { ...ballots, certificate } });
  for (const vote of votesOf(certificate)) acceptVote(work, vote);
}

/** Takes a verified proposal of this height, unless its proposer made one for this round before. */
export function acceptProposal(work: Work, proposal: Proposal, block: Block, isFair: boolean): void {
  const { received } = getRound(work.state, proposal.round);
  if (received) report(work, findProposalEvidence(received.proposal, proposal));
  if (received && received.proposal.block_hash !== proposal.block_hash) return;
  learnBlock(work, proposal.block_hash, block);
  if (!received) work.updateRound(proposal.round, { received: { proposal, isFair } });
}

/** Keeps a block under its hash. */
export function learnBlock(work: Work, hash: string, block: Block): void {
  if (work.state.blocks.has(hash)) return;
  const problem = findBlockProblem(block, work.state.settings, work.state.input);
  work.updateBlock(hash, { block, validity: problem === undefined ? "unknown" : "invalid" });
}

/** Hash of a block that a quorum voted for and that is not here: of a final one first, then of the latest. */
export function findMissing(state: State): string | null {
  const rounds = [...state.rounds.values()].reverse();
  const certificates = [...rounds.map((one) => one.precommits), ...rounds.map((one) => one.prevotes)];
  const missing = certificates.find(
    ({ certificate }) => certificate && !state.blocks.has(certificate.block_hash),
  );
  return missing?.certificate?.block_hash ?? null;
}

function report(work: Work, evidence: Evidence | undefined): void {
  if (!evidence) return;
  const { validator } = offenceOf(evidence);
  const { reported } = work.state;
  if (reported.has(validator)) return;
  work.update({ reported: new Set(reported).add(validator) });
  work.add({ type: "report_evidence", evidence });
}

function forgetEarlierOfFuture(work: Work, validator: string): void {
  const { rounds, round: current } = work.state;
  const hasVoted = ({ prevotes, precommits }: Round): boolean =>
    prevotes.votes.has(validator) || precommits.votes.has(validator);
  const future = [...rounds]
    .filter(([round, votes]) => round > current && hasVoted(votes))
    .map(([round]) => round);
  future.sort((a, b) => b - a);
  for (const round of future.slice(FUTURE_ROUNDS)) {
    const { prevotes, precommits } = getRound(work.state, round);
    const changes = { prevotes: without(prevotes, validator), precommits: without(precommits, validator) };
    work.updateRound(round, changes);
  }
}

function without(ballots: Ballots, validator: string): Ballots {
  const votes = new Map(ballots.votes);
  votes.delete(validator);
  return { ...ballots, votes };
}
