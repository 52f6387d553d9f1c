/** Merkle trees after RFC 6962 §2.1 on SHA-256: leaves are hashed with 0x00 in front, nodes with 0x01. */
import { checkLength, concatBytes, equalBytes } from "./bytes.ts";
import { HASH_BYTES, sha256 } from "./hash.ts";

const LEAF_PREFIX = Uint8Array.of(0);
const NODE_PREFIX = Uint8Array.of(1);

/** Hash of one leaf's data. */
function leafHash(data: Uint8Array): Uint8Array {
  return sha256(concatBytes(LEAF_PREFIX, data));
}

function nodeHash(left: Uint8Array, right: Uint8Array): Uint8Array {
  return sha256(concatBytes(NODE_PREFIX, left, right));
}

/**
 * One level up: neighbours are joined, a last one without a neighbour moves up as it is. Repeated, this gives
 * the tree of RFC 6962, whose left part is always the largest full one.
 */
function levelUp(level: readonly Uint8Array[]): Uint8Array[] {
  const next: Uint8Array[] = [];
  for (let index = 0; index < level.length; index += 2) {
    const [left, right] = level.slice(index, index + 2);
    if (left) next.push(right ? nodeHash(left, right) : left);
  }
  return next;
}

/** Root over the leaves' data, in order. The root of no leaves is SHA-256 of nothing. */
export function merkleRoot(leaves: readonly Uint8Array[]): Uint8Array {
  let level = leaves.map(leafHash);
  while (level.length > 1) level = levelUp(level);
  return level[0] ?? sha256(new Uint8Array(0));
}

function checkIndex(index: number, size: number): void {
  if (!Number.isSafeInteger(index) || index < 0 || index >= size) {
    throw new RangeError(`index ${index} is outside of a tree of ${size} leaves`);
  }
}

/** Proof that the leaf at `index` is in the tree: the siblings from the bottom up. Throws RangeError. */
export function merkleProof(leaves: readonly Uint8Array[], index: number): Uint8Array[] {
  checkIndex(index, leaves.length);
  const proof: Uint8Array[] = [];
  let position = index;
  for (let level = leaves.map(leafHash); level.length > 1; level = levelUp(level)) {
    const sibling = level[position ^ 1];
    if (sibling) proof.push(sibling);
    position >>>= 1;
  }
  return proof;
}

/**
 * Whether `proof` shows that the leaf with this data stands at `index` in the tree of `size` leaves with this
 * root (RFC 9162 §2.1.3.2). False for every malformed proof.
 */
export function verifyMerkleProof(
  root: Uint8Array,
  size: number,
  index: number,
  leaf: Uint8Array,
  proof: readonly Uint8Array[],
): boolean {
  checkLength("root", root, HASH_BYTES);
  if (!Number.isSafeInteger(size) || !Number.isSafeInteger(index) || index < 0 || index >= size) return false;
  if (proof.some((hash) => hash.length !== HASH_BYTES)) return false;
  const siblings = [...proof];
  let position = index;
  let last = size - 1;
  let hash = leafHash(leaf);
  while (last > 0) {
    const isLeft = position % 2 === 0;
    // Only the last node of a level can lack a right neighbour; it moves up as it is.
    if (!isLeft || position < last) {
      const sibling = siblings.shift();
      if (!sibling) return false;
      hash = isLeft ? nodeHash(hash, sibling) : nodeHash(sibling, hash);
    }
    // Division and not a shift: sizes may pass 32 bits.
    position = Math.floor(position / 2);
    last = Math.floor(last / 2);
  }
  return siblings.length === 0 && equalBytes(hash, root);
}
