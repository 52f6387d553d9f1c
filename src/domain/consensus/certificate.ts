/**
 * Certificates: a quorum's votes of one step and round for one block, in one document. Of precommits it proves
 * that the block is final; of prevotes it is the proof of lock that goes with a block proposed again.
 */
import { canonicalizeSigned, parseCanonical } from "../../crypto/canonical-json.ts";
import { verify } from "../../crypto/ed25519.ts";
import { sha256Hex } from "../../crypto/hash.ts";
import { ADDRESS, HASH, readInteger, readList, readMembers, readOneOf, readText, SIGNATURE } from "./read.ts";
import { MAX_VALIDATORS, type ValidatorSet } from "./validator-set.ts";
import { type Verify, VOTE_STEPS, type VoteStep, verifyVote } from "./vote.ts";

/** One validator's part: its vote's signature. */
export type CertificateSignature = {
  readonly validator: string;
  readonly signature: string;
};

/** A type alias, not an interface, so that it passes where any JSON object does. */
export type Certificate = {
  readonly v: 1;
  readonly height: number;
  readonly round: number;
  readonly step: VoteStep;
  readonly block_hash: string;
  /** By ascending address, each once. */
  readonly signatures: readonly CertificateSignature[];
};

/** `last_commit_hash` at height 1, which has no block below: 32 zero bytes. */
export const NO_COMMIT_HASH = "0".repeat(64);

/** Longest text of a certificate, in bytes: 200 for each of MAX_VALIDATORS. */
const MAX_CERTIFICATE_BYTES = 20_000;

const NAMES = ["v", "height", "round", "step", "block_hash", "signatures"] as const;

/**
 * Whether a certificate proves that a quorum of this set cast these votes: every signature must hold, and be of
 * a member, in ascending order of addresses. That it is about the block and step in question is for the caller.
 */
export function verifyCertificate(
  certificate: Certificate,
  validators: ValidatorSet,
  realm: Uint8Array,
  rule: Verify = verify,
): boolean {
  const { signatures, ...content } = certificate;
  if (signatures.length < validators.quorum) return false;
  let last = "";
  return signatures.every(({ validator, signature }) => {
    const isAscending = validator > last;
    last = validator;
    const key = validators.findKey(validator);
    return (
      isAscending && key !== undefined && verifyVote({ ...content, validator, signature }, realm, key, rule)
    );
  });
}

/** Hash of a certificate: SHA-256 (hex) of its canonical form; NO_COMMIT_HASH where there is none. */
export function certificateHash(certificate: Certificate | null): string {
  return certificate === null ? NO_COMMIT_HASH : sha256Hex(canonicalizeSigned(certificate));
}

/** Text of a certificate. */
export function formatCertificate(certificate: Certificate): string {
  return canonicalizeSigned(certificate);
}

/** Reads a certificate's text, which must be canonical. Throws INVALID_PAYLOAD, or as the JSON parser does. */
export function parseCertificate(text: string): Certificate {
  return readCertificate(parseCanonical(text, { maxBytes: MAX_CERTIFICATE_BYTES }));
}

/** Reads a certificate from parsed JSON. Throws INVALID_PAYLOAD with `meta.pointer`. */
export function readCertificate(value: unknown, pointer = ""): Certificate {
  const members = readMembers(value, pointer, NAMES);
  return {
    v: readOneOf(members.v, `${pointer}/v`, [1]),
    height: readInteger(members.height, `${pointer}/height`, 1),
    round: readInteger(members.round, `${pointer}/round`),
    step: readOneOf(members.step, `${pointer}/step`, VOTE_STEPS),
    block_hash: readText(members.block_hash, `${pointer}/block_hash`, HASH),
    signatures: readList(members.signatures, `${pointer}/signatures`, MAX_VALIDATORS, readSignature),
  };
}

function readSignature(value: unknown, pointer: string): CertificateSignature {
  const members = readMembers(value, pointer, ["validator", "signature"]);
  return {
    validator: readText(members.validator, `${pointer}/validator`, ADDRESS),
    signature: readText(members.signature, `${pointer}/signature`, SIGNATURE),
  };
}
