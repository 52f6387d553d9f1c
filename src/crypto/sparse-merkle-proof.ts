/** Proofs of compact sparse Merkle trees, and the hashes they rest on. Checking one needs no tree. */
import { checkLength, equalBytes } from "./bytes.ts";
import { HASH_BYTES, sha256 } from "./hash.ts";

/** Bits of a key: no path is longer. */
export const KEY_BITS = HASH_BYTES * 8;

/** Stands for a subtree without a leaf. No leaf or node can have it: that would be a preimage of SHA-256. */
export const EMPTY_HASH: Uint8Array = new Uint8Array(HASH_BYTES);

const LEAF_PREFIX = 0;
const NODE_PREFIX = 1;

/** Written anew for each hash: making it takes as long as hashing it does. */
const pair = new Uint8Array(1 + 2 * HASH_BYTES);

function hashPair(prefix: number, first: Uint8Array, second: Uint8Array): Uint8Array {
  pair[0] = prefix;
  pair.set(first, 1);
  pair.set(second, 1 + HASH_BYTES);
  return sha256(pair);
}

/** Hash of a leaf: SHA-256 of 0x00, the key, the hash of the value. */
export function leafHash(key: Uint8Array, valueHash: Uint8Array): Uint8Array {
  return hashPair(LEAF_PREFIX, key, valueHash);
}

/** Hash of a node: SHA-256 of 0x01, the hash of the left half (next bit 0), the hash of the right one. */
export function nodeHash(left: Uint8Array, right: Uint8Array): Uint8Array {
  return hashPair(NODE_PREFIX, left, right);
}

/** The bit of a key by which it goes left (0) or right (1) at a depth from 0 to 255. */
export function bitOf(key: Uint8Array, depth: number): 0 | 1 {
  const byte = key[depth >>> 3] ?? 0;
  return ((byte >>> (7 - (depth & 7))) & 1) === 1 ? 1 : 0;
}

/** What stands beside the path of a key. */
export interface SparseProof {
  /** Hash of the other half at each depth, from the root down. */
  readonly siblings: readonly Uint8Array[];
  /** The leaf at which the path ends, where it is another key's: that shows that the key is not there. */
  readonly other?: { readonly key: Uint8Array; readonly valueHash: Uint8Array };
}

/**
 * Whether `proof` shows that the tree with this root holds a value with this hash under `key`, or, for undefined,
 * that it does not have the key. False for every malformed proof. Throws INVALID_ARGUMENT when root, key or
 * hash have not 32 bytes.
 */
export function verifySparseProof(
  root: Uint8Array,
  key: Uint8Array,
  valueHash: Uint8Array | undefined,
  proof: SparseProof,
): boolean {
  checkLength("root", root, HASH_BYTES);
  checkLength("key", key, HASH_BYTES);
  const { siblings } = proof;
  if (siblings.length > KEY_BITS || siblings.some((hash) => hash.length !== HASH_BYTES)) return false;
  const end = hashAtEnd(key, valueHash, proof);
  return end !== undefined && equalBytes(climb(key, siblings, end), root);
}

/** Hash of the subtree at which the path ends, or undefined where the proof contradicts itself. */
function hashAtEnd(
  key: Uint8Array,
  valueHash: Uint8Array | undefined,
  { siblings, other }: SparseProof,
): Uint8Array | undefined {
  if (valueHash) return other ? undefined : leafHash(key, checkLength("valueHash", valueHash, HASH_BYTES));
  if (!other) return EMPTY_HASH;
  if (other.key.length !== HASH_BYTES || other.valueHash.length !== HASH_BYTES) return undefined;
  if (equalBytes(other.key, key) || !sharesPath(other.key, key, siblings.length)) return undefined;
  return leafHash(other.key, other.valueHash);
}

function sharesPath(one: Uint8Array, other: Uint8Array, bits: number): boolean {
  for (let depth = 0; depth < bits; depth++) if (bitOf(one, depth) !== bitOf(other, depth)) return false;
  return true;
}

function climb(key: Uint8Array, siblings: readonly Uint8Array[], end: Uint8Array): Uint8Array {
  return siblings.reduceRight(
    (hash, sibling, depth) => (bitOf(key, depth) === 1 ? nodeHash(sibling, hash) : nodeHash(hash, sibling)),
    end,
  );
}
