/** Derivation of Ed25519 keys from one seed (SLIP-0010). Every step is hardened: a public key derives nothing. */
import { createHmac } from "node:crypto";
import { AppError } from "../kernel/errors.ts";
import { concatBytes } from "./bytes.ts";

/** HMAC key of the master node for this curve. */
const CURVE = "ed25519 seed";
const KEY_BYTES = 32;
const HARDENED = 0x8000_0000;
/** Bytes of seed that SLIP-0010 allows: 128 to 512 bits. */
const MIN_SEED_BYTES = 16;
const MAX_SEED_BYTES = 64;

/** A node of the tree: the secret key (RFC 8032 §5.1.5) and what its children are derived with. */
export interface DerivedNode {
  readonly secretKey: Uint8Array;
  readonly chainCode: Uint8Array;
}

/**
 * The node at a path of indices, each hardened: `[44, 0]` is m/44'/0'. The caller wipes the result.
 * Throws INVALID_ARGUMENT for a seed of other than 16 to 64 bytes and for indices outside 0 to 2^31−1.
 */
export function deriveNode(seed: Uint8Array, path: readonly number[]): DerivedNode {
  if (seed.length < MIN_SEED_BYTES || seed.length > MAX_SEED_BYTES)
    refuse("seed", "must have 16 to 64 bytes");
  let node = split(CURVE, seed);
  for (const index of path) {
    const parent = node;
    node = child(parent, index);
    wipe(parent);
  }
  return node;
}

/** A path as people write it: m/44'/0'. */
export function formatPath(path: readonly number[]): string {
  return ["m", ...path.map((index) => `${index}'`)].join("/");
}

function child(parent: DerivedNode, index: number): DerivedNode {
  if (!Number.isInteger(index) || index < 0 || index >= HARDENED) refuse("path", "an index is 0 to 2^31−1");
  const number = Buffer.alloc(4);
  number.writeUInt32BE(index + HARDENED);
  const data = concatBytes(Uint8Array.of(0), parent.secretKey, number);
  try {
    return split(parent.chainCode, data);
  } finally {
    data.fill(0);
  }
}

/** HMAC-SHA-512, whose left half is the key and whose right half is the chain code. */
function split(key: Uint8Array | string, data: Uint8Array): DerivedNode {
  const digest = createHmac("sha512", key).update(data).digest();
  const node = {
    secretKey: Uint8Array.from(digest.subarray(0, KEY_BYTES)),
    chainCode: Uint8Array.from(digest.subarray(KEY_BYTES)),
  };
  digest.fill(0);
  return node;
}

function wipe({ secretKey, chainCode }: DerivedNode): void {
  secretKey.fill(0);
  chainCode.fill(0);
}

function refuse(argument: string, problem: string): never {
  throw new AppError("INVALID_ARGUMENT", `${argument}: ${problem}`, { meta: { argument } });
}
