/** What validators and the nodes that follow them send each other about the height they are at. */
import type { Block } from "./block.ts";
import type { Certificate } from "./certificate.ts";
import type { Proposal } from "./proposal.ts";
import type { Vote } from "./vote.ts";

/** A proposal with its block and, where the block is proposed again, the proof that a quorum prevoted it. */
export interface ProposalMessage {
  readonly type: "proposal";
  readonly proposal: Proposal;
  readonly block: Block;
  /** Of the prevotes of `valid_round`; null for a fresh block. */
  readonly proof: Certificate | null;
}

/** What its sender has, so that others can send what it lacks. */
export interface StatusMessage {
  readonly type: "status";
  readonly height: number;
  readonly round: number;
  /** Whether it has the proposal of this round. */
  readonly has_proposal: boolean;
  /** Who voted in this round: a bit for each validator, by index, the lowest bit of a byte first, as hex. */
  readonly prevotes: string;
  readonly precommits: string;
  /** Highest round of this height for which it has a proof of lock; NO_ROUND for none. */
  readonly proof_round: number;
  /** Hash of a block that a quorum voted for and that it does not have. */
  readonly missing: string | null;
}

export type ConsensusMessage =
  | ProposalMessage
  | StatusMessage
  | { readonly type: "vote"; readonly vote: Vote }
  /** A proof of lock: a quorum of prevotes. */
  | { readonly type: "proof"; readonly certificate: Certificate }
  /** A block whose hash the receiver's status named as missing. */
  | { readonly type: "block"; readonly block: Block }
  /** For a node that is behind: a block and the precommits that made it final. */
  | { readonly type: "final_block"; readonly block: Block; readonly certificate: Certificate };
