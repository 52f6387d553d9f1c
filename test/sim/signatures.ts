/** How the simulated validators sign: with Ed25519, or with a stand-in that is fast enough for ten thousand seeds. */
import { concatBytes, equalBytes, toHex } from "../../src/crypto/bytes.ts";
import { type SecretKey, verify } from "../../src/crypto/ed25519.ts";
import { sha256 } from "../../src/crypto/hash.ts";
import { type Sign, signerOf, type Verify } from "../../src/domain/consensus/vote.ts";

/** A signature scheme as the reducer is given it. */
export interface SignaturePort {
  readonly signer: (key: SecretKey) => Sign;
  readonly verify: Verify;
}

/** Signatures kept as verified in one run: each is checked by every node. */
const MAX_VERIFIED = 100_000;

/** The real ones. What one simulated node has verified, the next need not compute again. */
export function ed25519Signatures(): SignaturePort {
  const known = new Map<string, boolean>();
  return {
    signer: signerOf,
    verify(signature, message, publicKey) {
      const name = toHex(sha256(concatBytes(publicKey, signature, message)));
      const found = known.get(name);
      if (found !== undefined) return found;
      const holds = verify(signature, message, publicKey);
      if (known.size < MAX_VERIFIED) known.set(name, holds);
      return holds;
    },
  };
}

/**
 * Hashes in the place of signatures: anybody could forge them, and no simulated node does. They fail for every
 * changed bit, key and message, as real ones do.
 */
export const STAND_IN_SIGNATURES: SignaturePort = {
  signer: (key) => (message) => standIn(key.publicKey, message),
  verify: (signature, message, publicKey) => equalBytes(signature, standIn(publicKey, message)),
};

function standIn(publicKey: Uint8Array, message: Uint8Array): Uint8Array {
  const half = sha256(concatBytes(publicKey, message));
  return concatBytes(half, half);
}
