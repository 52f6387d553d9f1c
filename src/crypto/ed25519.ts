/**
 * Ed25519 (RFC 8032) with one verification rule, the same on the server and in the browser:
 * exact lengths; the public key and R are none of the 14 encodings of small order; then the cofactorless
 * equation, encode([S]B − [k]A) equals R byte for byte, with S < L. node:crypto checks that equation.
 */
import {
  createPrivateKey,
  createPublicKey,
  type KeyObject,
  sign as nodeSign,
  verify as nodeVerify,
} from "node:crypto";
import { inspect } from "node:util";
import { type RandomBytes, systemRandomBytes } from "../kernel/ids.ts";
import { checkLength, concatBytes, fromHex, plainBytes, toBase64Url } from "./bytes.ts";
import { isAdmissible, isSmallOrder } from "./small-order.ts";

export const PUBLIC_KEY_BYTES = 32;
export const SECRET_KEY_BYTES = 32;
export const SIGNATURE_BYTES = 64;

/** DER in front of the raw key (RFC 8410 §4 and §7): SubjectPublicKeyInfo and PKCS #8. */
const SPKI_PREFIX = fromHex("SPKI_PREFIX", "302a300506032b6570032100");
const PKCS8_PREFIX = fromHex("PKCS8_PREFIX", "302e020100300506032b657004220420");

/** Public keys whose KeyObject is kept: the miners and coordinators that are busy at one time, 1 KB each. */
const MAX_CACHED_KEYS = 1024;
const publicKeys = new Map<string, KeyObject>();

const REDACTED = "[secret key]";

/** A secret key. It signs; it does not print, serialise or compare. */
export class SecretKey {
  readonly #seed: Uint8Array;
  readonly #key: KeyObject;
  readonly #publicKey: Uint8Array;

  /** `seed`: the 32 bytes of RFC 8032 §5.1.5. Throws INVALID_ARGUMENT for any other length. */
  constructor(seed: Uint8Array) {
    this.#seed = Uint8Array.from(checkLength("secretKey", seed, SECRET_KEY_BYTES));
    const der = Buffer.from(concatBytes(PKCS8_PREFIX, this.#seed));
    this.#key = createPrivateKey({ key: der, format: "der", type: "pkcs8" });
    der.fill(0);
    const spki = createPublicKey(this.#key).export({ format: "der", type: "spki" });
    this.#publicKey = Uint8Array.from(spki.subarray(SPKI_PREFIX.length));
  }

  /** The 32 bytes of the public key. The caller must not change them. */
  get publicKey(): Uint8Array {
    return this.#publicKey;
  }

  /** The 32 secret bytes, for the key's own file and nothing else. */
  exportBytes(): Uint8Array {
    return this.#seed.slice();
  }

  sign(message: Uint8Array): Uint8Array {
    return plainBytes(nodeSign(null, message, this.#key));
  }

  /** Signs on a thread of the pool, so that the event loop goes on. */
  signAsync(message: Uint8Array): Promise<Uint8Array> {
    return new Promise((resolve, reject) => {
      nodeSign(null, message, this.#key, (error, signature) =>
        error ? reject(error) : resolve(plainBytes(signature)),
      );
    });
  }

  toJSON(): string {
    return REDACTED;
  }

  toString(): string {
    return REDACTED;
  }

  [inspect.custom](): string {
    return REDACTED;
  }
}

export interface KeyPair {
  readonly secretKey: SecretKey;
  readonly publicKey: Uint8Array;
}

/** Makes a new key pair. */
export function generateKeyPair(random: RandomBytes = systemRandomBytes): KeyPair {
  const secretKey = new SecretKey(random(SECRET_KEY_BYTES));
  return { secretKey, publicKey: secretKey.publicKey };
}

/** Public key of a secret key: 32 bytes. */
export function publicKeyOf(secretKey: SecretKey): Uint8Array {
  return secretKey.publicKey;
}

/** Signs a message: 64 bytes. The same key and message always give the same signature. */
export function sign(message: Uint8Array, secretKey: SecretKey): Uint8Array {
  return secretKey.sign(message);
}

/** Signs as `sign` does, on a thread of the pool. */
export function signAsync(message: Uint8Array, secretKey: SecretKey): Promise<Uint8Array> {
  return secretKey.signAsync(message);
}

/** Whether a signature over a message holds under a public key. False, and no error, for malformed input. */
export function verify(signature: Uint8Array, message: Uint8Array, publicKey: Uint8Array): boolean {
  if (!isAdmissible(signature, publicKey)) return false;
  return nodeVerify(null, message, findPublicKey(publicKey), signature);
}

/** Verifies as `verify` does, on a thread of the pool. */
export function verifyAsync(
  signature: Uint8Array,
  message: Uint8Array,
  publicKey: Uint8Array,
): Promise<boolean> {
  if (!isAdmissible(signature, publicKey)) return Promise.resolve(false);
  return new Promise((resolve, reject) => {
    nodeVerify(null, message, findPublicKey(publicKey), signature, (error, holds) =>
      error ? reject(error) : resolve(holds),
    );
  });
}

/** Whether 32 bytes can be a public key under the rule: not of small order. Being on the curve shows on use. */
export function isAcceptablePublicKey(publicKey: Uint8Array): boolean {
  return publicKey.length === PUBLIC_KEY_BYTES && !isSmallOrder(publicKey);
}

/** The KeyObject of a public key, made once while the key is in use (least recently used go first). */
function findPublicKey(publicKey: Uint8Array): KeyObject {
  const name = Buffer.from(publicKey.buffer, publicKey.byteOffset, publicKey.length).toString("latin1");
  let key = publicKeys.get(name);
  if (key) publicKeys.delete(name);
  else {
    // As JWK (RFC 8037 §2) it takes a third of the time that DER does.
    key = createPublicKey({ key: { kty: "OKP", crv: "Ed25519", x: toBase64Url(publicKey) }, format: "jwk" });
    const oldest = publicKeys.size >= MAX_CACHED_KEYS ? publicKeys.keys().next().value : undefined;
    if (oldest !== undefined) publicKeys.delete(oldest);
  }
  publicKeys.set(name, key);
  return key;
}
