/** Proposals: the proposer's signed word that this block is to be voted on in this round. */
import { fromBase64Url, toBase64Url } from "../../crypto/bytes.ts";
import { canonicalizeSigned, parseCanonical } from "../../crypto/canonical-json.ts";
import { SIGNATURE_BYTES, verify } from "../../crypto/ed25519.ts";
import { signBytes } from "../../crypto/sign-bytes.ts";
import { ADDRESS, HASH, readInteger, readMembers, readOneOf, readText, refuse, SIGNATURE } from "./read.ts";
import type { Sign, Verify } from "./vote.ts";

/** `valid_round` of a block that no quorum has prevoted yet. */
export const NO_ROUND = -1;

export type ProposalContent = {
  readonly v: 1;
  readonly height: number;
  /** From 0. */
  readonly round: number;
  /** Round in which a quorum prevoted this block; NO_ROUND for a fresh one. Below `round`. */
  readonly valid_round: number;
  readonly block_hash: string;
  /** Address of the validator that proposes; the block may have been made by another. */
  readonly proposer: string;
};

/** A type alias, not an interface, so that it passes where any JSON object does. */
export type Proposal = ProposalContent & {
  /** Ed25519 over `proposalSignBytes`, base64url. */
  readonly signature: string;
};

/** Longest text of a proposal without its block, in bytes. */
const MAX_PROPOSAL_BYTES = 1024;

const NAMES = ["v", "height", "round", "valid_round", "block_hash", "proposer", "signature"] as const;

/** Bytes that the proposer signs, in the realm of its chain (the genesis hash). */
export function proposalSignBytes(content: ProposalContent, realm: Uint8Array): Uint8Array {
  const { v, height, round, valid_round, block_hash, proposer } = content;
  const payload = canonicalizeSigned({ v, height, round, valid_round, block_hash, proposer });
  return signBytes("proposal", realm, payload);
}

/** Signs what a proposal says. */
export function signProposal(content: ProposalContent, realm: Uint8Array, signer: Sign): Proposal {
  return { ...content, signature: toBase64Url(signer(proposalSignBytes(content, realm))) };
}

/** Whether the signature holds under this key. That the key is the proposer's is for the caller. */
export function verifyProposal(
  proposal: Proposal,
  realm: Uint8Array,
  publicKey: Uint8Array,
  rule: Verify = verify,
): boolean {
  const signature = fromBase64Url("signature", proposal.signature, SIGNATURE_BYTES);
  return rule(signature, proposalSignBytes(proposal, realm), publicKey);
}

/** Text of a proposal without its block. */
export function formatProposal(proposal: Proposal): string {
  return canonicalizeSigned(proposal);
}

/** Reads the text of a proposal, which must be canonical. Throws INVALID_PAYLOAD, or as the JSON parser does. */
export function parseProposal(text: string): Proposal {
  return readProposal(parseCanonical(text, { maxBytes: MAX_PROPOSAL_BYTES }));
}

/** Reads a proposal from parsed JSON. Throws INVALID_PAYLOAD with `meta.pointer`. */
export function readProposal(value: unknown, pointer = ""): Proposal {
  const members = readMembers(value, pointer, NAMES);
  const round = readInteger(members.round, `${pointer}/round`);
  const valid_round = readInteger(members.valid_round, `${pointer}/valid_round`, NO_ROUND);
  if (valid_round >= round) refuse(`${pointer}/valid_round`, "a round below the proposal's");
  return {
    v: readOneOf(members.v, `${pointer}/v`, [1]),
    height: readInteger(members.height, `${pointer}/height`, 1),
    round,
    valid_round,
    block_hash: readText(members.block_hash, `${pointer}/block_hash`, HASH),
    proposer: readText(members.proposer, `${pointer}/proposer`, ADDRESS),
    signature: readText(members.signature, `${pointer}/signature`, SIGNATURE),
  };
}
