/** How a miner proves, when a session starts, that it holds its identity key. */
import { canonicalizeSigned } from "../../crypto/canonical-json.ts";
import { type SecretKey, sign, verify } from "../../crypto/ed25519.ts";
import { signBytes } from "../../crypto/sign-bytes.ts";

export type SessionProof = {
  readonly v: 1;
  /** The coordinator's nonce for this session (hex): a proof cannot be used a second time. */
  readonly nonce: string;
  readonly coordinator_id: string;
  /** Address of the miner's identity key. */
  readonly miner_id: string;
};

/** Bytes that the miner signs, in the realm of its coordinator. */
export function sessionProofSignBytes(proof: SessionProof, realm: Uint8Array): Uint8Array {
  return signBytes("miner-session", realm, canonicalizeSigned(proof));
}

/** The miner's signature: 64 bytes. */
export function signSessionProof(proof: SessionProof, realm: Uint8Array, key: SecretKey): Uint8Array {
  return sign(sessionProofSignBytes(proof, realm), key);
}

/** Whether the signature proves the key. That `miner_id` is the key's address is for the caller to check. */
export function verifySessionProof(
  proof: SessionProof,
  realm: Uint8Array,
  signature: Uint8Array,
  publicKey: Uint8Array,
): boolean {
  return verify(signature, sessionProofSignBytes(proof, realm), publicKey);
}
