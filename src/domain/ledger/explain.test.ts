import { describe, expect, it } from "vitest";
import { fund, genesisOf, person, TestChain } from "../../../test/harness/ledger.ts";
import { explainTransaction } from "./explain.ts";
import { parseTransactionContent } from "./transaction.ts";

const [alice, bob] = [person("alice"), person("bob")];
const chain = new TestChain(genesisOf([alice], [fund(alice)]));

describe("an explanation", () => {
  it("says who gets how much, what the fee is, and the most that it can cost", () => {
    const tx = chain.sign(alice, "TRANSFER", { to: bob.address, amount: "12500000" }, { fee: 321n });
    expect(explainTransaction(parseTransactionContent(tx.unsigned))).toEqual({
      type: "TRANSFER",
      sender: alice.address,
      recipient: bob.address,
      amount: 12_500_000n,
      fee: 321n,
      most: 12_500_321n,
      lines: [
        `Send 12.5 AIT to ${bob.address}. Nobody can take it back.`,
        `From ${alice.address}, as its transaction number 1 on the chain aitbc-test.`,
        "The fee is 0.000321 AIT; it is paid even if the transaction fails.",
        "The most it can cost is 12.500321 AIT.",
      ],
    });
  });

  it("says of stake that it is locked, and of a vote that it costs the fee alone", () => {
    const stake = explainTransaction(chain.sign(alice, "STAKE", { amount: "2000000" }, { fee: 300n }));
    expect(stake).toMatchObject({ recipient: undefined, amount: 2_000_000n, most: 2_000_300n });
    expect(stake.lines[0]).toContain("Lock 2 AIT");
    const unstake = explainTransaction(chain.sign(alice, "UNSTAKE", { amount: "2000000" }));
    expect(unstake).toMatchObject({ amount: 0n, most: unstake.fee });
    const vote = chain.sign(alice, "VALIDATOR_VOTE", { action: "add", public_key: bob.publicKey });
    expect(explainTransaction(vote).lines[0]).toContain(`add the validator ${bob.address}`);
    const update = chain.sign(alice, "PARAM_UPDATE", { changes: { base_fee_uait: "20" } });
    expect(explainTransaction(update).lines[0]).toContain("set base_fee_uait to 20");
    const faucet = chain.sign(alice, "FAUCET", { to: bob.address, amount: "1" });
    expect(explainTransaction(faucet)).toMatchObject({
      recipient: bob.address,
      amount: 0n,
      most: faucet.fee,
    });
  });

  it("says how many must sign for an account of several", () => {
    const keys = [alice, bob].sort((a, b) => Buffer.compare(a.key.publicKey, b.key.publicKey));
    const { public_key: _key, ...rest } = JSON.parse(
      chain.sign(alice, "STAKE", { amount: "1" }).unsigned,
    ) as Record<string, unknown>;
    const multisig = { public_keys: keys.map(({ publicKey }) => publicKey), threshold: 2 };
    const ordered = Object.fromEntries(
      Object.entries({ ...rest, multisig }).sort(([a], [b]) => (a < b ? -1 : 1)),
    );
    expect(explainTransaction(parseTransactionContent(JSON.stringify(ordered))).lines[1]).toContain(
      "2 of 2 keys",
    );
  });
});
