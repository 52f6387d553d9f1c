/** The ledger's published vectors, checked by what the vectors themselves say and not by the ledger's own code. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { addressOfKey, addressOfMultisig } from "../../src/crypto/address.ts";
import { concatBytes, fromBase64Url, fromHex, toHex, utf8 } from "../../src/crypto/bytes.ts";
import { type Canonicalizable, canonicalize } from "../../src/crypto/canonical-json.ts";
import { verify } from "../../src/crypto/ed25519.ts";
import { sha256, sha256Hex } from "../../src/crypto/hash.ts";
import { merkleRoot } from "../../src/crypto/merkle.ts";
import type { Header } from "../../src/domain/consensus/header.ts";
import { applyBlock, startChain } from "../../src/domain/ledger/block.ts";
import { parseGenesis } from "../../src/domain/ledger/genesis.ts";
import { type EntryProof, verifyEntryProof } from "../../src/domain/ledger/proof.ts";
import { parseTransaction } from "../../src/domain/ledger/transaction.ts";

const read = <T>(name: string): T =>
  JSON.parse(readFileSync(join(import.meta.dirname, "../../protocols/vectors", name), "utf8")) as T;

interface TransactionVector {
  readonly name: string;
  readonly text: string;
  readonly unsigned: string;
  readonly sign_bytes: string;
  readonly hash: string;
  readonly sender: string;
  readonly fee: string;
}
interface SignedJson {
  readonly fee: string;
  readonly public_key?: string;
  readonly signature?: string;
  readonly multisig?: { readonly threshold: number; readonly public_keys: readonly string[] };
  readonly signatures?: readonly { readonly signer: number; readonly signature: string }[];
}
interface Entry {
  readonly name: string;
  readonly key: string;
  readonly value: Canonicalizable;
}

const file = read<{
  genesis: Canonicalizable;
  genesis_hash: string;
  transactions: readonly TransactionVector[];
  refused: readonly string[];
}>("transactions.json");

describe("transactions.json", () => {
  it("has the genesis with its hash", () => {
    expect(sha256Hex(canonicalize(file.genesis))).toBe(file.genesis_hash);
  });

  it.each(file.transactions)("$name is signed, named and paid for as the file says", (vector) => {
    const { signature, signatures, ...rest } = JSON.parse(vector.text) as SignedJson;
    expect(canonicalize(JSON.parse(vector.text) as Canonicalizable)).toBe(vector.text);
    expect(canonicalize(rest as Canonicalizable)).toBe(vector.unsigned);
    expect(sha256Hex(vector.unsigned)).toBe(vector.hash);
    const message = concatBytes(
      utf8("aitbc/tx/v1\0"),
      fromHex("hash", file.genesis_hash),
      utf8(vector.unsigned),
    );
    expect(toHex(message)).toBe(vector.sign_bytes);
    const { public_key, multisig } = rest;
    const keys = (multisig?.public_keys ?? [public_key ?? ""]).map((key) => fromBase64Url("key", key));
    const sender = multisig
      ? addressOfMultisig({ threshold: multisig.threshold, signers: keys })
      : addressOfKey(keys[0] ?? new Uint8Array());
    expect(sender).toBe(vector.sender);
    const made = signatures ?? [{ signer: 0, signature: signature ?? "" }];
    expect(made).toHaveLength(multisig?.threshold ?? 1);
    for (const { signer, signature: text } of made) {
      expect(verify(fromBase64Url("signature", text), message, keys[signer] ?? new Uint8Array())).toBe(true);
    }
    expect(rest.fee).toBe(vector.name === "evidence" ? "0" : String(10 + vector.text.length));
    expect(parseTransaction(vector.text)).toMatchObject({
      hash: vector.hash,
      sender,
      fee: BigInt(vector.fee),
    });
  });

  it("names every type, and refuses what is no transaction", () => {
    expect(file.transactions).toHaveLength(8);
    expect(file.refused).toHaveLength(8);
    for (const text of file.refused) expect(() => parseTransaction(text)).toThrow();
  });
});

/** The tree by its definition, over leaves as the file describes them. */
function rootOf(
  leaves: readonly { readonly key: bigint; readonly hash: Uint8Array }[],
  bit = 255n,
): Uint8Array {
  const [only] = leaves;
  if (leaves.length <= 1) return only?.hash ?? new Uint8Array(32);
  const half = (side: bigint) =>
    rootOf(
      leaves.filter(({ key }) => ((key >> bit) & 1n) === side),
      bit - 1n,
    );
  return sha256(concatBytes(Uint8Array.of(1), half(0n), half(1n)));
}

function rootOfEntries(entries: readonly Entry[]): string {
  const leaves = entries.map(({ name, key, value }) => {
    expect(sha256Hex(name)).toBe(key);
    const hash = sha256(concatBytes(Uint8Array.of(0), fromHex("key", key), sha256(canonicalize(value))));
    return { key: BigInt(`0x${key}`), hash };
  });
  return toHex(rootOf(leaves));
}

describe("state.json", () => {
  const state = read<{
    genesis_state_root: string;
    genesis_entries: readonly Entry[];
    blocks: readonly {
      header: Header;
      transactions: readonly string[];
      results: readonly string[];
      state_root: string;
    }[];
    last_entries: readonly Entry[];
    proofs: readonly EntryProof[];
  }>("state.json");
  const last = state.blocks.at(-1)?.state_root ?? "";

  it("has the roots that its entries give by the definition", () => {
    expect(rootOfEntries(state.genesis_entries)).toBe(state.genesis_state_root);
    expect(rootOfEntries(state.last_entries)).toBe(last);
    expect(last).not.toBe(state.genesis_state_root);
  });

  it("has blocks that follow from the genesis, and headers whose roots are those of the lists", () => {
    let { chain, head } = startChain(parseGenesis(JSON.stringify(file.genesis)));
    expect(head.state.root).toBe(state.genesis_state_root);
    for (const { header, transactions, results, state_root } of state.blocks) {
      expect(header.state_root).toBe(state_root);
      expect(header.tx_root).toBe(toHex(merkleRoot(transactions.map(utf8))));
      expect(header.results_root).toBe(toHex(merkleRoot(results.map(utf8))));
      const lastCommit =
        head.height === 0
          ? null
          : {
              v: 1 as const,
              height: head.height,
              round: 0,
              step: "precommit" as const,
              block_hash: head.hash,
              signatures: [],
            };
      head = applyBlock(chain, head, { header, transactions, last_commit: lastCommit }).head;
    }
    expect(head.state.root).toBe(last);
  });

  it("has proofs of presence and of both kinds of absence", () => {
    for (const proof of state.proofs) expect(verifyEntryProof({ ...proof }, proof.name, last)).toBe(true);
    expect(
      new Set(state.proofs.map(({ value, other }) => [value !== null, other !== undefined].join())),
    ).toEqual(new Set(["true,false", "false,true", "false,false"]));
  });
});
