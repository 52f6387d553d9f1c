import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { concatBytes, toHex, utf8 } from "./bytes.ts";
import { sha256 } from "./hash.ts";
import { merkleProof, merkleRoot, verifyMerkleProof } from "./merkle.ts";

/** MTH of RFC 6962 §2.1, word for word. */
function naiveRoot(leaves: readonly Uint8Array[]): Uint8Array {
  const [first] = leaves;
  if (!first) return sha256("");
  if (leaves.length === 1) return sha256(concatBytes(Uint8Array.of(0), first));
  const k = split(leaves.length);
  return sha256(concatBytes(Uint8Array.of(1), naiveRoot(leaves.slice(0, k)), naiveRoot(leaves.slice(k))));
}

/** PATH of RFC 6962 §2.1.1, word for word. */
function naiveProof(leaves: readonly Uint8Array[], m: number): Uint8Array[] {
  if (leaves.length === 1) return [];
  const k = split(leaves.length);
  return m < k
    ? [...naiveProof(leaves.slice(0, k), m), naiveRoot(leaves.slice(k))]
    : [...naiveProof(leaves.slice(k), m - k), naiveRoot(leaves.slice(0, k))];
}

/** The largest power of two below n. */
function split(n: number): number {
  let k = 1;
  while (k * 2 < n) k *= 2;
  return k;
}

const leavesOf = (count: number): Uint8Array[] =>
  Array.from({ length: count }, (_, index) => utf8(`leaf ${index}`));

describe("merkle trees", () => {
  it("have the roots that Certificate Transparency publishes", () => {
    expect(toHex(merkleRoot([]))).toBe("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    expect(toHex(merkleRoot([new Uint8Array(0)]))).toBe(
      "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    );
  });

  it("equal the definition, for every size up to 40 and every leaf", () => {
    for (let size = 1; size <= 40; size++) {
      const leaves = leavesOf(size);
      const root = merkleRoot(leaves);
      expect(root).toEqual(naiveRoot(leaves));
      for (const [index, leaf] of leaves.entries()) {
        const proof = merkleProof(leaves, index);
        expect(proof).toEqual(naiveProof(leaves, index));
        expect(verifyMerkleProof(root, size, index, leaf, proof)).toBe(true);
      }
    }
  });

  it("refuse a proof in which anything is changed", () => {
    const one = fc.record({ size: fc.integer({ min: 1, max: 33 }), pick: fc.nat(), bit: fc.nat() });
    fc.assert(
      fc.property(one, ({ size, pick, bit }) => {
        const leaves = leavesOf(size);
        const root = merkleRoot(leaves);
        const index = pick % size;
        const leaf = leaves[index] ?? new Uint8Array();
        const proof = merkleProof(leaves, index);
        expect(verifyMerkleProof(root, size, index, utf8("other"), proof)).toBe(false);
        expect(verifyMerkleProof(root, size, index, leaf, [...proof, root])).toBe(false);
        expect(verifyMerkleProof(root, size, size, leaf, proof)).toBe(false);
        expect(verifyMerkleProof(root, size, -1, leaf, proof)).toBe(false);
        if (proof.length === 0) return;
        expect(verifyMerkleProof(root, size, index, leaf, proof.slice(1))).toBe(false);
        expect(verifyMerkleProof(root, size, (index + 1) % size, leaf, proof)).toBe(false);
        const changed = proof.map((hash) => hash.slice());
        const target = changed[bit % changed.length];
        if (target) target[0] = (target[0] ?? 0) ^ 1;
        expect(verifyMerkleProof(root, size, index, leaf, changed)).toBe(false);
      }),
    );
  });

  it("do not mistake a node for a leaf", () => {
    const leaves = leavesOf(2);
    const [left, right] = leaves.map((leaf) => sha256(concatBytes(Uint8Array.of(0), leaf)));
    const node = concatBytes(left ?? new Uint8Array(), right ?? new Uint8Array());
    expect(verifyMerkleProof(merkleRoot(leaves), 1, 0, node, [])).toBe(false);
  });
});
