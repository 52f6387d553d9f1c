import { describe, expect, it } from "vitest";
import { fund, genesisOf, person, TestChain } from "../../../../test/harness/ledger.ts";
import { MAX_UNBONDING } from "../account.ts";

const [validator, alice] = [person("validator"), person("alice")];
const start = (stake = 0n, unbonding_seconds = 10) =>
  new TestChain(genesisOf([validator], [fund(alice, 1_000_000n, stake)], { unbonding_seconds }));

describe("STAKE", () => {
  it("moves money from the balance to the stake", () => {
    const chain = start();
    const tx = chain.sign(alice, "STAKE", { amount: "400000" });
    expect(chain.run([tx])).toEqual(["OK"]);
    expect(chain.account(alice)).toMatchObject({ balance: 600_000n - tx.fee, stake: 400_000n });
  });

  it("fails where the balance has not so much beside the fee", () => {
    const chain = start();
    expect(chain.run([chain.sign(alice, "STAKE", { amount: "1000000" })])).toEqual(["INSUFFICIENT_FUNDS"]);
  });
});

describe("UNSTAKE", () => {
  it("keeps the money from its owner for the unbonding time, by header time", () => {
    const chain = start(500n);
    expect(chain.run([chain.sign(alice, "UNSTAKE", { amount: "200" })])).toEqual(["OK"]);
    const maturesAt = chain.head.time + 10_000;
    expect(chain.account(alice)).toMatchObject({ stake: 300n, unbonding: [{ amount: 200n, maturesAt }] });
    const before = chain.balance(alice);
    const tx = chain.sign(alice, "STAKE", { amount: "1" });
    chain.run([tx], { time: maturesAt });
    expect(chain.account(alice)).toMatchObject({
      balance: before + 200n - 1n - tx.fee,
      stake: 301n,
      unbonding: [],
    });
  });

  it("fails where the stake has not so much", () => {
    const chain = start(500n);
    expect(chain.run([chain.sign(alice, "UNSTAKE", { amount: "501" })])).toEqual(["INSUFFICIENT_STAKE"]);
  });

  it("joins what matures at one time, and waits for eight times at most", () => {
    const chain = start(5000n);
    const unstake = (nonce: number) => chain.sign(alice, "UNSTAKE", { amount: "10" }, { nonce });
    expect(chain.run([unstake(1), unstake(2)])).toEqual(["OK", "OK"]);
    expect(chain.account(alice)?.unbonding).toMatchObject([{ amount: 20n }]);
    for (let nonce = 3; nonce < MAX_UNBONDING + 2; nonce++)
      expect(chain.run([unstake(nonce)])).toEqual(["OK"]);
    expect(chain.run([unstake(MAX_UNBONDING + 2)])).toEqual(["TOO_MANY_UNBONDINGS"]);
  });

  it("without an unbonding time pays at the next transaction", () => {
    const chain = start(500n, 0);
    expect(chain.run([chain.sign(alice, "UNSTAKE", { amount: "500" })])).toEqual(["OK"]);
    expect(chain.run([chain.sign(alice, "STAKE", { amount: "1" })])).toEqual(["OK"]);
    expect(chain.account(alice)).toMatchObject({ stake: 1n, unbonding: [] });
  });
});
