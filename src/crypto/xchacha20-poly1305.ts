/** XChaCha20-Poly1305 (draft-irtf-cfrg-xchacha-03): its nonce is long enough to be drawn at random each time. */
import { xchacha20poly1305 } from "@noble/ciphers/chacha.js";
import { checkLength } from "./bytes.ts";

const AEAD_KEY_BYTES = 32;
export const AEAD_NONCE_BYTES = 24;
const AEAD_TAG_BYTES = 16;

/**
 * Encrypts, and binds the associated data. The result is the ciphertext and its tag of 16 bytes. Never the same
 * nonce twice under a key. Throws INVALID_ARGUMENT for other lengths of key and nonce.
 */
export function seal(
  key: Uint8Array,
  nonce: Uint8Array,
  plaintext: Uint8Array,
  associatedData: Uint8Array,
): Uint8Array {
  checkLength("key", key, AEAD_KEY_BYTES);
  checkLength("nonce", nonce, AEAD_NONCE_BYTES);
  return xchacha20poly1305(key, nonce, associatedData).encrypt(plaintext);
}

/**
 * Decrypts; undefined unless key, nonce, ciphertext and associated data are all those of one `seal`.
 * Throws INVALID_ARGUMENT for other lengths of key and nonce.
 */
export function unseal(
  key: Uint8Array,
  nonce: Uint8Array,
  ciphertext: Uint8Array,
  associatedData: Uint8Array,
): Uint8Array | undefined {
  checkLength("key", key, AEAD_KEY_BYTES);
  checkLength("nonce", nonce, AEAD_NONCE_BYTES);
  if (ciphertext.length < AEAD_TAG_BYTES) return undefined;
  try {
    return xchacha20poly1305(key, nonce, associatedData).decrypt(ciphertext);
  } catch {
    // Its only failure after these checks is a tag that does not fit.
    return undefined;
  }
}
