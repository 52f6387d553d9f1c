/**
 * What is signed: `aitbc/<type>/v1\0`, the 32 bytes of the realm, the payload. The type keeps a signature from
 * being read as one of another kind, the realm from being used on another chain or at another coordinator.
 * Receipts and attestations alone are signed without it, because existing verifiers expect that.
 */
import { checkLength, concatBytes, utf8 } from "./bytes.ts";
import { HASH_BYTES, sha256 } from "./hash.ts";

/** Every kind of document that is signed this way. */
export const SIGNED_TYPES = ["progress", "miner-session", "vote", "proposal", "tx", "document"] as const;
export type SignedType = (typeof SIGNED_TYPES)[number];

const PREFIXES: Readonly<Record<SignedType, Uint8Array>> = {
  progress: utf8("aitbc/progress/v1\0"),
  "miner-session": utf8("aitbc/miner-session/v1\0"),
  vote: utf8("aitbc/vote/v1\0"),
  proposal: utf8("aitbc/proposal/v1\0"),
  tx: utf8("aitbc/tx/v1\0"),
  document: utf8("aitbc/document/v1\0"),
};

/** The realm of a coordinator without a chain: SHA-256 of its public key. With a chain: the genesis hash. */
export function realmOfCoordinator(publicKey: Uint8Array): Uint8Array {
  return sha256(checkLength("publicKey", publicKey, 32));
}

/** Bytes to sign for a payload (canonical JSON text or bytes) in a realm of 32 bytes. */
export function signBytes(type: SignedType, realm: Uint8Array, payload: Uint8Array | string): Uint8Array {
  checkLength("realm", realm, HASH_BYTES);
  return concatBytes(PREFIXES[type], realm, typeof payload === "string" ? utf8(payload) : payload);
}
