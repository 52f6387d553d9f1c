/** Messages of peers: each is checked and verified before it counts. */

import type { FinalBlock } from "./block.ts";
import { type Certificate, verifyCertificate } from "./certificate.ts";
import { receiveEarlyProposal, receiveEarlyVote } from "./early.ts";
import { headerHash } from "./header.ts";
import type { ConsensusMessage, ProposalMessage } from "./message.ts";
import { type Proposal, verifyProposal } from "./proposal.ts";
import {
  acceptCertificate,
  acceptProposal,
  acceptVote,
  ballotsOf,
  findMissing,
  learnBlock,
} from "./record.ts";
import { KEPT_ROUNDS } from "./rounds.ts";
import { getRound, type State } from "./state.ts";
import { answerStatus } from "./status.ts";
import { isTimely } from "./timing.ts";
import { type Vote, verifyVote } from "./vote.ts";
import type { Work } from "./work.ts";

/** Takes a peer's message. `now`: the wall clock, Unix ms. What no honest node sends is reported. */
export function receive(work: Work, from: string, message: ConsensusMessage, now: number): void {
  const reason = takeMessage(work, from, message, now);
  if (reason !== undefined) work.add({ type: "report_peer", peer: from, reason });
}

/** Why the message is one that no honest node sends, or undefined. */
function takeMessage(work: Work, from: string, message: ConsensusMessage, now: number): string | undefined {
  if (message.type === "status") return answerStatus(work, from, message);
  const { phase, input } = work.state;
  const height = heightOf(message);
  if (height === input.height + 1 && message.type === "vote") return receiveEarlyVote(work, message.vote);
  if (height === input.height + 1 && message.type === "proposal")
    return receiveEarlyProposal(work, message, now);
  // A height that is over, or not begun: nothing to learn, and no fault.
  if (height !== input.height || phase === "final") return undefined;
  switch (message.type) {
    case "vote":
      return receiveVote(work, message.vote);
    case "proposal":
      return receiveProposal(work, message, now);
    case "proof":
      return receiveProof(work, message.certificate);
    case "block":
      if (headerHash(message.block.header) === findMissing(work.state)) {
        learnBlock(work, headerHash(message.block.header), message.block);
      }
      return undefined;
    case "final_block":
      return receiveFinalBlock(work, from, message);
  }
}

function heightOf(message: Exclude<ConsensusMessage, { type: "status" }>): number {
  switch (message.type) {
    case "vote":
      return message.vote.height;
    case "proposal":
      return message.proposal.height;
    case "proof":
      return message.certificate.height;
    default:
      return message.block.header.height;
  }
}

function receiveVote(work: Work, vote: Vote): string | undefined {
  const { input, settings, round } = work.state;
  const key = input.validators.findKey(vote.validator);
  if (!key) return "a vote of nobody in the set";
  if (vote.round < round - KEPT_ROUNDS) return undefined;
  const known = ballotsOf(getRound(work.state, vote.round), vote.step).votes.get(vote.validator);
  // Most votes come several times. A second signature over the same content says nothing new.
  if (known && known.block_hash === vote.block_hash) return undefined;
  if (!verifyVote(vote, settings.realm, key, settings.verify)) return "a vote that does not verify";
  acceptVote(work, vote);
  return undefined;
}

function receiveProposal(work: Work, message: ProposalMessage, now: number): string | undefined {
  const { proposal, block, proof } = message;
  const { state } = work;
  // Of rounds further ahead there is nothing to do yet; peers send theirs again when this node gets there.
  if (proposal.round !== state.round && proposal.round !== state.round + 1) return undefined;
  if (isKnown(state, proposal)) return undefined;
  const problem = findProposalProblem(state, message);
  if (problem !== undefined) return problem;
  if (proof) {
    if (proof.round !== proposal.valid_round || proof.block_hash !== proposal.block_hash)
      return "a proof of something else";
    const refused = receiveProof(work, proof);
    if (refused !== undefined) return refused;
  }
  const isOwnBlock = block.header.proposer === proposal.proposer;
  const isFair = isOwnBlock && isTimely(state.settings.timing, block.header.time, now, proposal.round);
  acceptProposal(work, proposal, block, isFair);
  return undefined;
}

/** Whether the same proposal is here, with its block. */
function isKnown(state: State, { round, block_hash, valid_round }: Proposal): boolean {
  const known = getRound(state, round).received?.proposal;
  return (
    known?.block_hash === block_hash && known.valid_round === valid_round && state.blocks.has(block_hash)
  );
}

function findProposalProblem(
  { settings, input }: State,
  { proposal, block }: ProposalMessage,
): string | undefined {
  const { proposer, height, round, block_hash } = proposal;
  const key = input.validators.findKey(proposer);
  if (!key || proposer !== input.validators.proposer(height, round)) return "a proposal out of turn";
  if (headerHash(block.header) !== block_hash) return "a proposal of another block";
  return verifyProposal(proposal, settings.realm, key, settings.verify)
    ? undefined
    : "a proposal that does not verify";
}

/** A proof of lock of this height. */
function receiveProof(work: Work, certificate: Certificate): string | undefined {
  const { input, settings } = work.state;
  if (certificate.step !== "prevote" || certificate.height !== input.height)
    return "a proof of something else";
  if (getRound(work.state, certificate.round).prevotes.certificate) return undefined;
  if (!verifyCertificate(certificate, input.validators, settings.realm, settings.verify)) {
    return "a proof that does not verify";
  }
  acceptCertificate(work, certificate);
  return undefined;
}

function receiveFinalBlock(work: Work, from: string, { block, certificate }: FinalBlock): string | undefined {
  const { input, settings } = work.state;
  const hash = headerHash(block.header);
  const isOfBlock = certificate.block_hash === hash && certificate.height === input.height;
  if (!isOfBlock || certificate.step !== "precommit") return "a certificate of something else";
  if (!verifyCertificate(certificate, input.validators, settings.realm, settings.verify)) {
    return "a certificate that does not verify";
  }
  learnBlock(work, hash, block);
  work.update({ helper: from });
  acceptCertificate(work, certificate);
  return undefined;
}
