import { toHex } from "../../crypto/bytes.ts";
import { SparseMerkleTree } from "../../crypto/sparse-merkle.ts";
import type { SparseProof } from "../../crypto/sparse-merkle-proof.ts";
import { type Entry, type EntryKey, hashName, hashValue } from "./entry.ts";

/** An entry's new value under the hash of its name; undefined removes it. */
export interface StateChange {
  readonly hash: Uint8Array;
  readonly entry: Entry | undefined;
}

/**
 * The state of a chain: entries under one root. It never changes; applying a block makes another one, which
 * shares all that the block left alone.
 */
export class LedgerState {
  readonly #tree: SparseMerkleTree<Entry>;

  private constructor(tree: SparseMerkleTree<Entry>) {
    this.#tree = tree;
  }

  static readonly empty = new LedgerState(SparseMerkleTree.empty(hashValue));

  /** Root of the state tree, as lower-case hex: `state_root` of a header. */
  get root(): string {
    return toHex(this.#tree.root);
  }

  /** Value of an entry, or undefined. */
  find<Value>(key: EntryKey<Value>, hash = hashName(key.name)): Value | undefined {
    // Equal names have equal kinds: every name starts with its kind's namespace.
    return this.#tree.find(hash)?.value as Value | undefined;
  }

  /** The state with these changes. */
  with(changes: readonly StateChange[]): LedgerState {
    const tree = this.#tree.update(changes.map(({ hash, entry }) => ({ key: hash, value: entry })));
    return new LedgerState(tree);
  }

  /** What shows that an entry is in the state with its value, or is not. */
  prove(name: string): SparseProof {
    return this.#tree.prove(hashName(name));
  }

  /** All entries, in the order of the hashes of their names. */
  entries(): Iterable<Entry> {
    return this.#tree.values();
  }
}
