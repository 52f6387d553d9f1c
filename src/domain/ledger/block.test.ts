import { describe, expect, it } from "vitest";
import { fund, genesisOf, person, TestChain } from "../../../test/harness/ledger.ts";
import { type Block, formatBlock, parseBlock, textsRoot } from "../consensus/block.ts";
import type { Header } from "../consensus/header.ts";
import { applyBlock, validateBlock } from "./block.ts";
import { DEFAULT_PARAMS } from "./params.ts";

const [validator, other, alice, bob] = [person("validator"), person("other"), person("alice"), person("bob")];
const start = (params = {}) => new TestChain(genesisOf([validator, other], [fund(alice)], params));
const transfer = (chain: TestChain, nonce = 1) =>
  chain.sign(alice, "TRANSFER", { to: bob.address, amount: "5" }, { nonce });
const invalid = expect.objectContaining({ code: "INVALID_BLOCK" });

describe("a block", () => {
  it("has the roots that applying it gives, and validates", () => {
    const chain = start();
    const { block, applied } = chain.produce([transfer(chain)]);
    const { head, results } = applied;
    expect(block.header).toMatchObject({
      height: 1,
      parent_hash: chain.head.hash,
      state_root: head.state.root,
    });
    expect(block.header.results_root).toBe(
      textsRoot([JSON.stringify({ code: "OK", fee: results[0]?.fee, tx_hash: transfer(chain).hash })]),
    );
    expect(block.header.state_root).not.toBe(chain.head.state.root);
    const read = parseBlock(formatBlock(block), DEFAULT_PARAMS.max_block_bytes);
    expect(validateBlock(chain.chain, chain.head, read).head.hash).toBe(head.hash);
    expect(applyBlock(chain.chain, chain.head, read).head.hash).toBe(head.hash);
    expect(chain.head.height).toBe(0);
  });

  it("without transactions changes no account", () => {
    const chain = start();
    const { root } = chain.head.state;
    chain.skip(3);
    expect(chain.head).toMatchObject({ height: 3 });
    expect(chain.head.state.root).toBe(root);
  });

  it("holds as much as fits, and passes over what does not", () => {
    const chain = start({ max_block_bytes: 4096 });
    const many = Array.from({ length: 20 }, (_, index) => transfer(chain, index + 1));
    const { block } = chain.produce(many);
    const size = formatBlock(block).length;
    expect(size).toBeLessThanOrEqual(4096);
    expect(size + (block.transactions[0]?.length ?? 0) + 60).toBeGreaterThan(4096);
    expect(block.transactions.length).toBeGreaterThan(3);
  });

  it.each<readonly [what: string, change: Partial<Header>]>([
    ["version", { version: 2 } as object],
    ["chain", { chain_id: "other" }],
    ["height", { height: 2 }],
    ["parent", { parent_hash: "0".repeat(64) }],
    ["time, its parent's", { time: genesisOf([validator], []).time }],
    ["maker", { proposer: alice.address }],
    ["maker, whose fees they would be", { proposer: other.address }],
    ["transactions", { tx_root: textsRoot([]) }],
    ["results", { results_root: textsRoot([]) }],
    ["receipts", { receipt_root: textsRoot(["a"]) }],
    ["state", { state_root: start().head.state.root }],
    ["validators", { validators_hash: "0".repeat(64) }],
    ["next validators", { next_validators_hash: "0".repeat(64) }],
    ["certificate", { last_commit_hash: "1".repeat(64) }],
  ])("with a false %s is refused", (_what, change) => {
    const chain = start();
    const { block } = chain.produce([transfer(chain)], { proposer: validator.address });
    const changed: Block = { ...block, header: { ...block.header, ...change } };
    expect(() => validateBlock(chain.chain, chain.head, changed)).toThrow(invalid);
    expect(() => applyBlock(chain.chain, chain.head, changed)).toThrow(invalid);
  });

  it("with a transaction whose signature does not hold is refused, unless somebody has looked at it before", () => {
    const chain = start();
    const [good, bad] = [transfer(chain), chain.sign({ ...alice, key: bob.key }, "STAKE", { amount: "1" })];
    const { block } = chain.produce([bad]);
    expect(() => validateBlock(chain.chain, chain.head, block)).toThrow(
      "transaction 0 is not signed by its sender",
    );
    expect(() => validateBlock(chain.chain, chain.head, block, (text) => text === good.text)).toThrow(
      invalid,
    );
    expect(validateBlock(chain.chain, chain.head, block, (text) => text === bad.text).results).toHaveLength(
      1,
    );
  });

  it("with a transaction that cannot be included, or is none, is refused", () => {
    const chain = start();
    const { block } = chain.produce([transfer(chain)]);
    const add = (text: string): Block => ({ ...block, transactions: [...block.transactions, text] });
    expect(() => applyBlock(chain.chain, chain.head, add(transfer(chain).text))).toThrow("NONCE_USED");
    expect(() => applyBlock(chain.chain, chain.head, add(transfer(chain, 3).text))).toThrow("NONCE_TOO_HIGH");
    expect(() => applyBlock(chain.chain, chain.head, add("{}"))).toThrow("cannot be read");
  });

  it("that is larger than the parameter allows is refused", () => {
    const [large, small] = [start(), start({ max_block_bytes: 2048 })];
    const many = Array.from({ length: 20 }, (_, index) => transfer(large, index + 1));
    const { block } = large.produce(many);
    expect(() => applyBlock(small.chain, small.head, block)).toThrow("max_block_bytes");
  });

  it("with any bit of its text flipped is refused", () => {
    const chain = start();
    const text = Buffer.from(formatBlock(chain.produce([transfer(chain)]).block));
    const accepts = (bytes: Buffer): boolean => {
      try {
        const block = parseBlock(bytes.toString("utf8"), DEFAULT_PARAMS.max_block_bytes);
        return validateBlock(chain.chain, chain.head, block).head.height === 1;
      } catch {
        return false;
      }
    };
    expect(accepts(text)).toBe(true);
    // The one thing that a maker may choose freely; consensus looks at the time, and the header's hash covers it.
    const time = text.indexOf('"time":');
    const accepted: number[] = [];
    for (let bit = 0; bit < text.length * 8; bit++) {
      const flipped = Buffer.from(text);
      flipped[bit >>> 3] = (flipped[bit >>> 3] ?? 0) ^ (1 << (bit & 7));
      if (accepts(flipped)) accepted.push(bit >>> 3);
    }
    expect(accepted.every((byte) => byte > time && byte < time + 21)).toBe(true);
  });
});
