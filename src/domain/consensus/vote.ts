/** Votes: a validator's signed word on a block, or on none, in one step of one round. */
import { fromBase64Url, toBase64Url } from "../../crypto/bytes.ts";
import { canonicalizeSigned, parseCanonical } from "../../crypto/canonical-json.ts";
import { type SecretKey, SIGNATURE_BYTES, sign, verify } from "../../crypto/ed25519.ts";
import { signBytes } from "../../crypto/sign-bytes.ts";
import { ADDRESS, HASH, readInteger, readMembers, readOneOf, readText, SIGNATURE } from "./read.ts";

export const VOTE_STEPS = ["prevote", "precommit"] as const;
export type VoteStep = (typeof VOTE_STEPS)[number];

/** What a vote says. */
export type VoteContent = {
  readonly v: 1;
  readonly height: number;
  /** From 0. */
  readonly round: number;
  readonly step: VoteStep;
  /** Hash of the block; null, and left out in the canonical form, for "none in this round". */
  readonly block_hash: string | null;
  /** Address of the validator. */
  readonly validator: string;
};

/** A type alias, not an interface, so that it passes where any JSON object does. */
export type Vote = VoteContent & {
  /** Ed25519 over `voteSignBytes`, base64url. */
  readonly signature: string;
};

/** Makes a signature (64 bytes) with one key. */
export type Sign = (message: Uint8Array) => Uint8Array;
/** Checks a signature. Everything here verifies by `ed25519.verify` unless it is given another rule. */
export type Verify = (signature: Uint8Array, message: Uint8Array, publicKey: Uint8Array) => boolean;

/** Signs with an Ed25519 key. */
export const signerOf =
  (key: SecretKey): Sign =>
  (message) =>
    sign(message, key);

/** Longest text of a vote, in bytes. */
const MAX_VOTE_BYTES = 1024;

const NAMES = ["v", "height", "round", "step", "block_hash", "validator", "signature"] as const;

/** Bytes that a validator signs, in the realm of its chain (the genesis hash). */
export function voteSignBytes(content: VoteContent, realm: Uint8Array): Uint8Array {
  const { v, height, round, step, block_hash, validator } = content;
  return signBytes("vote", realm, canonicalizeSigned({ v, height, round, step, block_hash, validator }));
}

/** Signs what a vote says. */
export function signVote(content: VoteContent, realm: Uint8Array, signer: Sign): Vote {
  return { ...content, signature: toBase64Url(signer(voteSignBytes(content, realm))) };
}

/** Whether the vote's signature holds under this key. That the key is its validator's is for the caller. */
export function verifyVote(
  vote: Vote,
  realm: Uint8Array,
  publicKey: Uint8Array,
  rule: Verify = verify,
): boolean {
  const signature = fromBase64Url("signature", vote.signature, SIGNATURE_BYTES);
  return rule(signature, voteSignBytes(vote, realm), publicKey);
}

/** Text of a vote, as it is sent. */
export function formatVote(vote: Vote): string {
  return canonicalizeSigned(vote);
}

/** Reads the text of a vote, which must be canonical. Throws INVALID_PAYLOAD, or as the JSON parser does. */
export function parseVote(text: string): Vote {
  return readVote(parseCanonical(text, { maxBytes: MAX_VOTE_BYTES }));
}

/** Reads a vote from parsed JSON. Throws INVALID_PAYLOAD with `meta.pointer`. */
export function readVote(value: unknown, pointer = ""): Vote {
  const members = readMembers(value, pointer, NAMES, ["block_hash"]);
  return {
    v: readOneOf(members.v, `${pointer}/v`, [1]),
    height: readInteger(members.height, `${pointer}/height`, 1),
    round: readInteger(members.round, `${pointer}/round`),
    step: readOneOf(members.step, `${pointer}/step`, VOTE_STEPS),
    block_hash:
      members.block_hash === undefined ? null : readText(members.block_hash, `${pointer}/block_hash`, HASH),
    validator: readText(members.validator, `${pointer}/validator`, ADDRESS),
    signature: readText(members.signature, `${pointer}/signature`, SIGNATURE),
  };
}
