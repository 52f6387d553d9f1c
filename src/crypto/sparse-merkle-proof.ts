/** Proofs of compact sparse Merkle trees, and the hashes they rest on. Checking one needs no tree. */
import { checkLength, toLatin1 } from "./bytes.ts";
import { HASH_BYTES, sha256Latin1 } from "./hash.ts";

/** Bits of a key: no path is longer. */
export const KEY_BITS = HASH_BYTES * 8;

/** 32 bytes as `toLatin1` writes them: keys and hashes within a tree. */
export type Digest = string;

/** Stands for a subtree without a leaf. No leaf or node can have it: that would be a preimage of SHA-256. */
export const EMPTY_HASH: Digest = "\0".repeat(HASH_BYTES);

const LEAF_PREFIX = 0;
const NODE_PREFIX = 1;

/** Written anew for each hash: making it takes as long as hashing it does. */
const pair = new Uint8Array(1 + 2 * HASH_BYTES);

function hashPair(prefix: number, first: Digest, second: Digest): Digest {
  pair[0] = prefix;
  for (let index = 0; index < HASH_BYTES; index++) {
    pair[1 + index] = first.charCodeAt(index);
    pair[1 + HASH_BYTES + index] = second.charCodeAt(index);
  }
  return sha256Latin1(pair);
}

/** Hash of a leaf: SHA-256 of 0x00, the key, the hash of the value. */
export function leafHash(key: Digest, valueHash: Digest): Digest {
  return hashPair(LEAF_PREFIX, key, valueHash);
}

/** Hash of a node: SHA-256 of 0x01, the hash of the left half (next bit 0), the hash of the right one. */
export function nodeHash(left: Digest, right: Digest): Digest {
  return hashPair(NODE_PREFIX, left, right);
}

/** The bit of a key by which it goes left (0) or right (1) at a depth from 0 to 255. */
export function bitOf(key: Digest, depth: number): 0 | 1 {
  const byte = key.charCodeAt(depth >>> 3);
  return ((byte >>> (7 - (depth & 7))) & 1) === 1 ? 1 : 0;
}

/** A key or hash of 32 bytes, as it stands within a tree. Throws INVALID_ARGUMENT for any other length. */
export function toDigest(name: string, bytes: Uint8Array): Digest {
  return toLatin1(checkLength(name, bytes, HASH_BYTES));
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
  const expected = toDigest("root", root);
  const place = toDigest("key", key);
  const value = valueHash && toDigest("valueHash", valueHash);
  const { siblings, other } = proof;
  const hashes = other ? [...siblings, other.key, other.valueHash] : siblings;
  if (siblings.length > KEY_BITS || hashes.some((hash) => hash.length !== HASH_BYTES)) return false;
  const end = hashAtEnd(place, value, proof);
  return end !== undefined && climb(place, siblings.map(toLatin1), end) === expected;
}

/** Hash of the subtree at which the path ends, or undefined where the proof contradicts itself. */
function hashAtEnd(
  key: Digest,
  value: Digest | undefined,
  { siblings, other }: SparseProof,
): Digest | undefined {
  if (value !== undefined) return other ? undefined : leafHash(key, value);
  if (!other) return EMPTY_HASH;
  const place = toLatin1(other.key);
  if (place === key || !sharesPath(place, key, siblings.length)) return undefined;
  return leafHash(place, toLatin1(other.valueHash));
}

function sharesPath(one: Digest, other: Digest, bits: number): boolean {
  for (let depth = 0; depth < bits; depth++) if (bitOf(one, depth) !== bitOf(other, depth)) return false;
  return true;
}

function climb(key: Digest, siblings: readonly Digest[], end: Digest): Digest {
  return siblings.reduceRight(
    (hash, sibling, depth) => (bitOf(key, depth) === 1 ? nodeHash(sibling, hash) : nodeHash(hash, sibling)),
    end,
  );
}
