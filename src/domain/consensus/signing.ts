/** What this validator itself says. Its votes and proposals are saved before they are sent. */
import type { Block } from "./block.ts";
import { type Proposal, signProposal } from "./proposal.ts";
import { acceptProposal, acceptVote } from "./record.ts";
import { maySign, type Place, recordProposal, recordVote } from "./sign-state.ts";
import { findOwnAddress, getRound, type Settings, type State } from "./state.ts";
import { signVote, type VoteStep } from "./vote.ts";
import type { Work } from "./work.ts";

interface Signer {
  readonly address: string;
  readonly sign: NonNullable<Settings["signer"]>["sign"];
}

/** The key for a place that nothing was signed for, or undefined: no validator, or its sign-state forbids it. */
function findSigner(state: State, place: Place): Signer | undefined {
  const { signer } = state.settings;
  if (signer === null || findOwnAddress(state) === undefined) return undefined;
  return maySign(state.signState, place) ? signer : undefined;
}

/** Whether this validator may propose something in the current round. */
export function mayPropose(state: State): boolean {
  return findSigner(state, { height: state.input.height, round: state.round, step: "propose" }) !== undefined;
}

/** Goes to a step and votes in it: for a block, or for none. Who may not sign goes there in silence. */
export function castVote(work: Work, step: VoteStep, block_hash: string | null): void {
  work.update({ step });
  const { state } = work;
  const { round } = state;
  const { height } = state.input;
  const signer = findSigner(state, { height, round, step });
  if (!signer) return;
  const content = { v: 1, height, round, step, block_hash, validator: signer.address } as const;
  const vote = signVote(content, state.settings.realm, signer.sign);
  work.update({ signState: recordVote(state.signState, vote, state.locks) });
  work.mustSave = true;
  acceptVote(work, vote);
  work.send({ type: "vote", vote });
}

/** Proposes a block in the current round, with the proof of lock of `validRound`; NO_ROUND for a fresh one. */
export function propose(work: Work, hash: string, block: Block, validRound: number): void {
  const proof = getRound(work.state, validRound).prevotes.certificate;
  const proposal = signNewProposal(work, hash, validRound);
  if (!proposal) return;
  acceptProposal(work, proposal, block, true);
  work.store({ block, proof });
  work.send({ type: "proposal", proposal, block, proof });
}

function signNewProposal(work: Work, block_hash: string, valid_round: number): Proposal | undefined {
  const { state } = work;
  const { height } = state.input;
  const signer = findSigner(state, { height, round: state.round, step: "propose" });
  if (!signer) return undefined;
  const content = {
    v: 1,
    height,
    round: state.round,
    valid_round,
    block_hash,
    proposer: signer.address,
  } as const;
  const proposal = signProposal(content, state.settings.realm, signer.sign);
  work.update({ signState: recordProposal(state.signState, proposal, state.locks) });
  work.mustSave = true;
  return proposal;
}
