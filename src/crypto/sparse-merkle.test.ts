import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { concatBytes, toHex, utf8 } from "./bytes.ts";
import { sha256 } from "./hash.ts";
import { type SparseChange, SparseMerkleTree } from "./sparse-merkle.ts";
import { type SparseProof, verifySparseProof } from "./sparse-merkle-proof.ts";

type Entries = readonly (readonly [key: Uint8Array, value: string])[];

/** The definition, word for word: over entries whose keys agree in the first `depth` bits. */
function naiveRoot(entries: Entries, depth = 0): Uint8Array {
  const [only] = entries;
  if (!only) return new Uint8Array(32);
  if (entries.length === 1) return sha256(concatBytes(Uint8Array.of(0), only[0], sha256(only[1])));
  const bit = ([key]: Entries[number]) =>
    (BigInt(`0x${toHex(key)}`) >> BigInt(255 - depth)) & 1n ? "right" : "left";
  const { left = [], right = [] } = Object.groupBy(entries, bit);
  return sha256(concatBytes(Uint8Array.of(1), naiveRoot(left, depth + 1), naiveRoot(right, depth + 1)));
}

const empty = SparseMerkleTree.empty<string>((value) => sha256(value));
const keyOf = (name: string): Uint8Array => sha256(name);
/** A key with so many zero bits before its last byte: neighbours deep down in the tree. */
const deepKey = (last: number): Uint8Array => new Uint8Array(32).fill(last, 31);
const treeOf = (entries: Entries) => empty.update(entries.map(([key, value]) => ({ key, value })));

/** Keys of both kinds, so that paths are short and long. */
const anyKey = fc.oneof(
  fc.integer({ min: 0, max: 30 }).map((n) => keyOf(`key ${n}`)),
  fc.integer({ min: 0, max: 7 }).map(deepKey),
);
const anyChanges = fc.uniqueArray(fc.tuple(anyKey, fc.option(fc.string(), { nil: undefined })), {
  selector: ([key]) => toHex(key),
  maxLength: 20,
});
const toChanges = (changes: readonly (readonly [Uint8Array, string | undefined])[]): SparseChange<string>[] =>
  changes.map(([key, value]) => ({ key, value }));

describe("a sparse Merkle tree", () => {
  it("has the root of the definition, whatever the changes were and in whichever order", () => {
    fc.assert(
      fc.property(fc.array(anyChanges, { maxLength: 6 }), (batches) => {
        const naive = new Map<string, readonly [Uint8Array, string]>();
        let tree = empty;
        for (const batch of batches) {
          tree = tree.update(toChanges(batch));
          for (const [key, value] of batch) {
            if (value === undefined) naive.delete(toHex(key));
            else naive.set(toHex(key), [key, value]);
          }
          expect(tree.root).toEqual(naiveRoot([...naive.values()]));
        }
        expect(treeOf([...naive.values()].reverse()).root).toEqual(tree.root);
        for (const [key, value] of naive.values()) expect(tree.find(key)).toBe(value);
        const byKey = [...naive].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, [, value]]) => value);
        expect([...tree.values()]).toEqual(byKey);
      }),
    );
  });

  it("leaves the tree that it came from as it was, and is the same one where nothing changes", () => {
    const before = treeOf([[keyOf("a"), "1"]]);
    const { root } = before;
    before.update([{ key: keyOf("a"), value: "2" }]);
    expect(before.root).toEqual(root);
    expect(before.find(keyOf("a"))).toBe("1");
    expect(before.update([])).toBe(before);
  });

  it("refuses a key that is no hash, and the same key twice", () => {
    expect(() => empty.find(new Uint8Array(31))).toThrow("key: must have 32 bytes");
    expect(() => empty.update([{ key: new Uint8Array(33), value: "" }])).toThrow("key: must have 32 bytes");
    expect(() => treeOf([0, 0].map((n) => [deepKey(n), ""]))).toThrow("twice");
  });
});

/** Paths longer than this have one bit of each hash flipped, and not all: they would be 65,000 proofs. */
const SHORT_PATH = 16;

/** Proofs that differ from this one in one bit, one part more or one part less. */
function* alterations(proof: SparseProof): Generator<SparseProof> {
  const { siblings, other } = proof;
  for (const [index, sibling] of siblings.entries()) {
    const bits = siblings.length > SHORT_PATH ? [index] : undefined;
    for (const changed of flips(sibling, bits)) yield { ...proof, siblings: siblings.with(index, changed) };
    yield { ...proof, siblings: siblings.toSpliced(index, 1) };
    yield { ...proof, siblings: siblings.with(index, sibling.subarray(1)) };
  }
  yield { ...proof, siblings: [...siblings, new Uint8Array(32)] };
  yield { ...proof, siblings: Array.from({ length: 257 }, () => new Uint8Array(32)) };
  if (!other) return yield { siblings, other: { key: keyOf("stranger"), valueHash: sha256("") } };
  yield { siblings };
  for (const key of flips(other.key)) yield { siblings, other: { ...other, key } };
  for (const valueHash of flips(other.valueHash)) yield { siblings, other: { ...other, valueHash } };
}

function* flips(bytes: Uint8Array, bits: Iterable<number> = Array(256).keys()): Generator<Uint8Array> {
  for (const bit of bits) {
    yield bytes.map((byte, index) => (index === bit >>> 3 ? byte ^ (1 << (bit & 7)) : byte));
  }
}

describe("a proof", () => {
  const entries: Entries = [
    ...Array.from({ length: 12 }, (_, n) => [keyOf(`key ${n}`), `value ${n}`] as const),
    [deepKey(1), "deep"],
    [deepKey(2), "deeper"],
  ];
  const tree = treeOf(entries);
  const absent = [keyOf("nobody"), deepKey(0), deepKey(4), new Uint8Array(32).fill(255)];

  it("shows that a key is there, with its value, and no other value or key", () => {
    for (const [key, value] of entries) {
      const proof = tree.prove(key);
      expect(verifySparseProof(tree.root, key, sha256(value), proof)).toBe(true);
      expect(verifySparseProof(tree.root, key, sha256(`${value}!`), proof)).toBe(false);
      expect(verifySparseProof(tree.root, key, undefined, proof)).toBe(false);
      expect(verifySparseProof(tree.root, keyOf("nobody"), sha256(value), proof)).toBe(false);
    }
  });

  it("shows that a key is not there, at an empty place or where another key stands", () => {
    const ends = new Set<boolean>();
    for (const key of absent) {
      const proof = tree.prove(key);
      ends.add(proof.other === undefined);
      expect(verifySparseProof(tree.root, key, undefined, proof)).toBe(true);
      expect(verifySparseProof(tree.root, key, sha256("value 1"), proof)).toBe(false);
    }
    expect(ends).toEqual(new Set([true, false]));
    expect(verifySparseProof(empty.root, keyOf("a"), undefined, empty.prove(keyOf("a")))).toBe(true);
  });

  it("does not show that a key is absent by a leaf that lies on another path", () => {
    const there = new Uint8Array(32).fill(255);
    const two = treeOf([...entries, [there, "there"]]);
    const proof = two.prove(deepKey(4));
    expect(verifySparseProof(two.root, deepKey(4), undefined, proof)).toBe(true);
    expect(verifySparseProof(two.root, there, undefined, proof)).toBe(false);
    // With the siblings of the right path and the leaf of the wrong one nothing fits either.
    const mixed = {
      siblings: two.prove(there).siblings,
      other: { key: deepKey(1), valueHash: sha256("deep") },
    };
    expect(verifySparseProof(two.root, there, undefined, mixed)).toBe(false);
  });

  it("does not show that a key is absent by its own leaf", () => {
    for (const [key, value] of entries) {
      const lie: SparseProof = { ...tree.prove(key), other: { key, valueHash: sha256(value) } };
      expect(verifySparseProof(tree.root, key, undefined, lie)).toBe(false);
    }
  });

  it("does not show that a key is absent by a leaf that stands where it does not belong", () => {
    const [left, right] = [new Uint8Array(32), new Uint8Array(32).fill(255)];
    const strayed = sha256(concatBytes(Uint8Array.of(0), right, sha256("value")));
    const root = sha256(concatBytes(Uint8Array.of(1), strayed, sha256("sibling")));
    const lie: SparseProof = {
      siblings: [sha256("sibling")],
      other: { key: right, valueHash: sha256("value") },
    };
    expect(verifySparseProof(root, left, undefined, lie)).toBe(false);
  });

  it("is refused with any bit flipped, a part more or a part less", () => {
    let count = 0;
    for (const key of [...absent, ...entries.slice(0, 3).map(([each]) => each), deepKey(1)]) {
      const value = tree.find(key);
      const valueHash = value === undefined ? undefined : sha256(value);
      for (const altered of alterations(tree.prove(key))) {
        expect(verifySparseProof(tree.root, key, valueHash, altered)).toBe(false);
        count++;
      }
    }
    expect(count).toBeGreaterThan(1000);
  });

  it("does not mistake a node for a leaf", () => {
    const two = treeOf(entries.slice(0, 2));
    const [left, right] = entries
      .slice(0, 2)
      .map(([key, value]) => sha256(concatBytes(Uint8Array.of(0), key, sha256(value))));
    expect(verifySparseProof(two.root, left ?? utf8(""), right, { siblings: [] })).toBe(false);
  });
});
