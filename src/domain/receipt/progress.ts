/** Progress: a miner's signed statement of how far it got, while it works. */
import { canonicalizeSigned } from "../../crypto/canonical-json.ts";
import { type SecretKey, sign, verify } from "../../crypto/ed25519.ts";
import { signBytes } from "../../crypto/sign-bytes.ts";

/** A type alias, not an interface, so that it passes where any JSON object does. */
export type Progress = {
  readonly v: 1;
  readonly job_id: string;
  readonly token: number;
  /** Number of the statement within the lease, from 1. */
  readonly seq: number;
  /** Bytes of the job's whole output that it covers, from byte 0. */
  readonly bytes: number;
  /** SHA-256 (hex) of those bytes. */
  readonly running_sha256: string;
  /** Units of this segment up to there, without the request's. */
  readonly units: number;
  readonly terms_hash: string;
};

/** Bytes that the miner signs, in the realm of its coordinator. */
export function progressSignBytes(progress: Progress, realm: Uint8Array): Uint8Array {
  return signBytes("progress", realm, canonicalizeSigned(progress));
}

/** The miner's signature: 64 bytes. */
export function signProgress(progress: Progress, realm: Uint8Array, key: SecretKey): Uint8Array {
  return sign(progressSignBytes(progress, realm), key);
}

/** Whether the signature is the miner's over exactly this statement in this realm. */
export function verifyProgress(
  progress: Progress,
  realm: Uint8Array,
  signature: Uint8Array,
  publicKey: Uint8Array,
): boolean {
  return verify(signature, progressSignBytes(progress, realm), publicKey);
}
