/**
 * A compact sparse Merkle tree on SHA-256: a map from 32-byte keys to values under one root, in which presence
 * and absence of a key can be shown. Trees are immutable; an update shares what it does not touch.
 *
 * A subtree without a leaf has the hash of 32 zero bytes, one with a single leaf is that leaf, and any other is
 * the node over its two halves, by the next bit of the key, most significant first. So the root depends on the
 * content alone, never on the order of the changes, and depth grows with the logarithm of the size.
 */
import { fromLatin1 } from "./bytes.ts";
import {
  bitOf,
  type Digest,
  EMPTY_HASH,
  KEY_BITS,
  leafHash,
  nodeHash,
  type SparseProof,
  toDigest,
} from "./sparse-merkle-proof.ts";

interface Leaf<Value> {
  readonly isBranch: false;
  readonly key: Digest;
  readonly value: Value;
  readonly hash: Digest;
}

interface Branch<Value> {
  readonly isBranch: true;
  readonly left: Node<Value>;
  readonly right: Node<Value>;
  readonly hash: Digest;
}

/** A subtree; undefined is one without a leaf. */
type Node<Value> = Leaf<Value> | Branch<Value> | undefined;

const hashOf = <Value>(node: Node<Value>): Digest => node?.hash ?? EMPTY_HASH;

/** A key with its new value; undefined removes the key. */
export interface SparseChange<Value> {
  readonly key: Uint8Array;
  readonly value: Value | undefined;
}

/** A change whose leaf, if it makes one, is hashed already. */
interface Placed<Value> {
  readonly key: Digest;
  readonly leaf: Leaf<Value> | undefined;
}

export class SparseMerkleTree<Value> {
  readonly #node: Node<Value>;
  readonly #hashValue: (value: Value) => Uint8Array;

  private constructor(hashValue: (value: Value) => Uint8Array, node: Node<Value>) {
    this.#hashValue = hashValue;
    this.#node = node;
  }

  /** A tree without keys. `hashValue` gives the 32 bytes that stand for a value. */
  static empty<Value>(hashValue: (value: Value) => Uint8Array): SparseMerkleTree<Value> {
    return new SparseMerkleTree(hashValue, undefined);
  }

  /** The root: 32 bytes, zeros for a tree without keys. */
  get root(): Uint8Array {
    return fromLatin1(hashOf(this.#node));
  }

  /** The value of a key of 32 bytes, or undefined. */
  find(key: Uint8Array): Value | undefined {
    const place = toDigest("key", key);
    const end = this.#descend(place);
    return end?.key === place ? end.value : undefined;
  }

  /**
   * The tree with these changes; a key that is not there may be removed. Throws INVALID_ARGUMENT for a key that
   * has not 32 bytes, RangeError for a key that stands there twice.
   */
  update(changes: Iterable<SparseChange<Value>>): SparseMerkleTree<Value> {
    const placed = Array.from(changes, ({ key, value }) => this.#place(key, value));
    const node = change(this.#node, placed, 0);
    return node === this.#node ? this : new SparseMerkleTree(this.#hashValue, node);
  }

  /** Proof of what a key holds, or that the tree does not have it. */
  prove(key: Uint8Array): SparseProof {
    const siblings: Digest[] = [];
    const place = toDigest("key", key);
    const end = this.#descend(place, siblings);
    const other = end &&
      end.key !== place && { key: fromLatin1(end.key), valueHash: this.#hashValue(end.value) };
    return { siblings: siblings.map(fromLatin1), ...(other && { other }) };
  }

  /** All values, in the order of their keys. */
  values(): Iterable<Value> {
    return list(this.#node);
  }

  #place(key: Uint8Array, value: Value | undefined): Placed<Value> {
    const place = toDigest("key", key);
    if (value === undefined) return { key: place, leaf: undefined };
    const hash = leafHash(place, toDigest("value hash", this.#hashValue(value)));
    return { key: place, leaf: { isBranch: false, key: place, value, hash } };
  }

  /** The leaf at which the path of a key ends, if it ends at one; collects the siblings on the way. */
  #descend(key: Digest, siblings?: Digest[]): Leaf<Value> | undefined {
    let node = this.#node;
    for (let depth = 0; node?.isBranch; depth++) {
      const goesRight = bitOf(key, depth) === 1;
      siblings?.push(hashOf(goesRight ? node.left : node.right));
      node = goesRight ? node.right : node.left;
    }
    return node;
  }
}

/** The subtree at `depth` with these changes, all of which belong below it. */
function change<Value>(node: Node<Value>, changes: readonly Placed<Value>[], depth: number): Node<Value> {
  if (changes.length === 0) return node;
  if (!node?.isBranch) return build(withLeaf(node, changes), depth);
  const [lefts, rights] = split(changes, depth);
  const left = change(node.left, lefts, depth + 1);
  const right = change(node.right, rights, depth + 1);
  return left === node.left && right === node.right ? node : join(left, right);
}

/** Leaves that the changes make, and the one that was there, unless it is changed itself. */
function withLeaf<Value>(leaf: Leaf<Value> | undefined, changes: readonly Placed<Value>[]): Leaf<Value>[] {
  const leaves = changes.flatMap((each) => each.leaf ?? []);
  if (leaf && !changes.some(({ key }) => key === leaf.key)) leaves.push(leaf);
  return leaves;
}

function build<Value>(leaves: readonly Leaf<Value>[], depth: number): Node<Value> {
  if (leaves.length <= 1) return leaves[0];
  if (depth === KEY_BITS) throw new RangeError("a key stands twice among the changes of a tree");
  const [lefts, rights] = split(leaves, depth);
  return join(build(lefts, depth + 1), build(rights, depth + 1));
}

/** Joins two halves. One leaf alone moves up: that is what makes the tree compact. */
function join<Value>(left: Node<Value>, right: Node<Value>): Node<Value> {
  if (left === undefined && !right?.isBranch) return right;
  if (right === undefined && !left?.isBranch) return left;
  return { isBranch: true, left, right, hash: nodeHash(hashOf(left), hashOf(right)) };
}

function split<Item extends { readonly key: Digest }>(
  items: readonly Item[],
  depth: number,
): [Item[], Item[]] {
  const halves: [Item[], Item[]] = [[], []];
  for (const item of items) halves[bitOf(item.key, depth)].push(item);
  return halves;
}

function* list<Value>(node: Node<Value>): Generator<Value, void> {
  if (node === undefined) return;
  if (!node?.isBranch) return void (yield node.value);
  yield* list(node.left);
  yield* list(node.right);
}
