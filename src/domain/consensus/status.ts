/**
 * Votes are state, not events: nodes say what they have, regularly, and are sent what they lack. So a message
 * that was lost cannot stop the chain.
 */
import { bitmapOf, hasBit } from "./ballots.ts";
import type { StatusMessage } from "./message.ts";
import { NO_ROUND } from "./proposal.ts";
import { findMissing } from "./record.ts";
import { findProof, findProofRound, getRound, type State } from "./state.ts";
import type { Vote } from "./vote.ts";
import type { Work } from "./work.ts";

/** What this node has of its height. */
export function statusOf(state: State): StatusMessage {
  const { input, round } = state;
  const { received, prevotes, precommits } = getRound(state, round);
  return {
    type: "status",
    height: input.height,
    round,
    has_proposal: received !== null && state.blocks.has(received.proposal.block_hash),
    prevotes: bitmapOf(prevotes.votes, input.validators),
    precommits: bitmapOf(precommits.votes, input.validators),
    proof_round: findProofRound(state) ?? NO_ROUND,
    missing: findMissing(state),
  };
}

/** Sends a peer what its status lacks and this node has. */
export function answerStatus(work: Work, peer: string, status: StatusMessage): undefined {
  const { input, phase } = work.state;
  if (status.height < input.height || (status.height === input.height && phase === "final")) {
    // Height 0 is the genesis file.
    if (status.height > 0) work.add({ type: "send_final_block", to: peer, height: status.height });
    return;
  }
  if (status.height > input.height) return;
  sendBlock(work, peer, status);
  sendProof(work, peer, status);
  sendProposal(work, peer, status);
  for (const vote of findVotesFor(work.state, status)) work.send({ type: "vote", vote }, peer);
}

function sendBlock(work: Work, peer: string, { missing }: StatusMessage): void {
  const known = missing === null ? undefined : work.state.blocks.get(missing);
  if (known) work.send({ type: "block", block: known.block }, peer);
}

function sendProof(work: Work, peer: string, { proof_round }: StatusMessage): void {
  const round = findProofRound(work.state);
  if (round === undefined || round <= proof_round) return;
  const { certificate } = getRound(work.state, round).prevotes;
  if (certificate) work.send({ type: "proof", certificate }, peer);
}

function sendProposal(work: Work, peer: string, { round, has_proposal }: StatusMessage): void {
  const proposal = has_proposal ? undefined : getRound(work.state, round).received?.proposal;
  const known = proposal && work.state.blocks.get(proposal.block_hash);
  if (!known) return;
  const proof = findProof(work.state, proposal);
  work.send({ type: "proposal", proposal, block: known.block, proof }, peer);
}

/** The votes of the peer's round that it lacks, and the latest of each validator beyond it, so that it can skip. */
function findVotesFor(state: State, status: StatusMessage): readonly Vote[] {
  const { validators } = state.input;
  const { prevotes, precommits } = getRound(state, status.round);
  const lacking = (votes: Iterable<Vote>, bitmap: string): Vote[] =>
    [...votes].filter(({ validator }) => !hasBit(bitmap, validators.findIndex(validator) ?? 0));
  return [
    ...lacking(prevotes.votes.values(), status.prevotes),
    ...lacking(precommits.votes.values(), status.precommits),
    ...findLatest(state, status.round),
  ];
}

function findLatest(state: State, beyond: number): Iterable<Vote> {
  const latest = new Map<string, Vote>();
  for (const [round, { prevotes, precommits }] of state.rounds) {
    if (round <= beyond) continue;
    for (const { votes } of [prevotes, precommits]) {
      for (const vote of votes.values()) {
        if (round >= (latest.get(vote.validator)?.round ?? 0)) latest.set(vote.validator, vote);
      }
    }
  }
  return latest.values();
}
