import { describe, expect, it } from "vitest";
import { type Extra, fund, genesisOf, person, TestChain } from "../../../test/harness/ledger.ts";
import { accountKey } from "./account.ts";
import { BlockExecution } from "./block-execution.ts";
import { minimumFee } from "./signing.ts";
import type { Transaction } from "./transaction.ts";

const [validator, alice, bob] = [person("validator"), person("alice"), person("bob")];
const start = () => new TestChain(genesisOf([validator], [fund(alice)]));

describe("a transaction", () => {
  it("moves its amount, pays its fee to the proposer and uses its nonce", () => {
    const chain = start();
    const tx = chain.sign(alice, "TRANSFER", { to: bob.address, amount: "5" });
    expect(tx.fee).toBe(10n + BigInt(tx.text.length));
    expect(chain.run([tx])).toEqual(["OK"]);
    expect(chain.account(alice)).toMatchObject({ balance: 1_000_000_000n - 5n - tx.fee, nonce: 1 });
    expect(chain.balance(bob)).toBe(5n);
    expect(chain.balance(validator)).toBe(tx.fee);
  });

  it("that fails pays its fee, uses its nonce and changes nothing else", () => {
    const chain = start();
    const all = chain.balance(alice);
    const tx = chain.sign(alice, "TRANSFER", { to: bob.address, amount: String(all) });
    expect(chain.run([tx])).toEqual(["INSUFFICIENT_FUNDS"]);
    expect(chain.account(alice)).toMatchObject({ balance: all - tx.fee, nonce: 1 });
    expect(chain.account(bob)).toBeUndefined();
    expect(chain.balance(validator)).toBe(tx.fee);
  });

  it("that fails after it has written leaves nothing of it", () => {
    const chain = start();
    const tx = chain.sign(alice, "TRANSFER", { to: bob.address, amount: "5" });
    const late = (feeFree?: true): Transaction => ({
      ...tx,
      module: {
        ...tx.module,
        ...(feeFree && { feeFree }),
        apply(payload, sender, execution) {
          expect(tx.module.apply(payload, sender, execution)).toBe("OK");
          return "INSUFFICIENT_FUNDS";
        },
      },
    });
    const run = (transaction: Transaction) => {
      const execution = new BlockExecution(chain.chain, chain.head, {
        time: chain.head.time + 1,
        proposer: validator.address,
      });
      return { refusal: execution.add(transaction), ...execution.finish() };
    };
    const failed = run(late());
    expect(failed).toMatchObject({ refusal: undefined, results: [{ code: "INSUFFICIENT_FUNDS" }] });
    expect(failed.state.find(accountKey(bob.address))).toBeUndefined();
    expect(failed.state.find(accountKey(alice.address))).toMatchObject({
      balance: 1_000_000_000n - tx.fee,
      nonce: 1,
    });
    const free = run(late(true));
    expect(free).toMatchObject({ refusal: "INSUFFICIENT_FUNDS", results: [] });
    expect(free.state.root).toBe(chain.head.state.root);
  });

  it("can spend the last µAIT, to its sender too", () => {
    const chain = start();
    const fee = chain.sign(alice, "TRANSFER", { to: alice.address, amount: "999999000" }).fee;
    const amount = chain.balance(alice) - fee;
    const tx = chain.sign(alice, "TRANSFER", { to: alice.address, amount: String(amount) }, { fee });
    expect(chain.run([tx])).toEqual(["OK"]);
    expect(chain.balance(alice)).toBe(amount);
  });

  it("is included once, and in the order of nonces only", () => {
    const chain = start();
    const payload = { to: bob.address, amount: "1" };
    const [first, second, third] = [1, 2, 3].map((nonce) =>
      chain.sign(alice, "TRANSFER", payload, { nonce }),
    );
    if (!first || !second || !third) throw new Error("three were made");
    expect(chain.run([third, first, first, second])).toEqual(["OK", "OK"]);
    expect(chain.run([second, third])).toEqual(["OK"]);
    expect(chain.balance(bob)).toBe(3n);
  });

  it.each([
    ["of another chain", () => ({ chainId: "other" })],
    ["with the nonce of an earlier one", () => ({ nonce: 1 })],
    ["with a nonce that leaves one out", () => ({ nonce: 3 })],
    ["whose fee is 1 µAIT too low", (least: bigint) => ({ fee: least - 1n })],
    ["whose fee nobody can pay", () => ({ fee: 1_000_000_000n })],
  ])("%s is in no block", (_what, extraOf: (least: bigint) => Extra) => {
    const chain = start();
    chain.run([chain.sign(alice, "TRANSFER", { to: bob.address, amount: "1" })]);
    const plain = chain.sign(alice, "TRANSFER", { to: bob.address, amount: "1" });
    const tx = chain.sign(alice, "TRANSFER", { to: bob.address, amount: "1" }, extraOf(plain.fee));
    expect(chain.run([tx])).toEqual([]);
    expect(chain.run([plain])).toEqual(["OK"]);
  });

  it("pays all of a fee that is higher than it must be", () => {
    const chain = start();
    const fee = minimumFee(genesisOf([validator], []).params, 1000);
    chain.run([chain.sign(alice, "TRANSFER", { to: bob.address, amount: "1" }, { fee })]);
    expect(chain.balance(validator)).toBe(fee);
  });

  it("pays its fee out of stake that has matured, and not before", () => {
    const chain = new TestChain(
      genesisOf([validator], [fund(alice, 1000n, 500_000n)], { unbonding_seconds: 10 }),
    );
    const unstake = chain.sign(alice, "UNSTAKE", { amount: "500000" });
    const { time } = chain.head;
    expect(chain.run([unstake], { time: time + 1 })).toEqual(["OK"]);
    const tx = chain.sign(alice, "TRANSFER", { to: bob.address, amount: "400000" }, { fee: 2000n });
    expect(chain.run([tx], { time: time + 10_000 })).toEqual([]);
    expect(chain.run([tx], { time: time + 10_001 })).toEqual(["OK"]);
    expect(chain.account(alice)).toEqual({
      balance: 1000n - unstake.fee + 500_000n - 400_000n - 2000n,
      nonce: 2,
      stake: 0n,
      unbonding: [],
    });
  });
});
