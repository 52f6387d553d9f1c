import { describe, expect, it } from "vitest";
import { fund, genesisOf, type Person, person, TestChain } from "../../../../test/harness/ledger.ts";
import { type Evidence, findVoteEvidence } from "../../consensus/evidence.ts";
import { signerOf, signVote, type VoteContent } from "../../consensus/vote.ts";
import { SUPPLY_KEY } from "../supply.ts";

const [honest, culprit, stranger] = [person("honest"), person("culprit"), person("stranger")];

const start = (equivocation_slash_ppm = 1_000_000, stake = 5000n) =>
  new TestChain(
    genesisOf([honest, culprit], [fund(honest), fund(culprit, 100_000n, stake)], { equivocation_slash_ppm }),
  );

/** Two votes for different blocks in one round. */
function equivocation(
  { chain }: TestChain,
  { key, address }: Person,
  content: Partial<VoteContent> = {},
): Evidence {
  const [first, second] = ["a", "b"].map((fill) => {
    const all: VoteContent = {
      v: 1,
      height: 1,
      round: 0,
      step: "prevote",
      validator: address,
      block_hash: fill.repeat(64),
      ...content,
    };
    return signVote(all, chain.realm, signerOf(key));
  });
  const evidence = first && second && findVoteEvidence(first, second);
  if (!evidence) throw new Error("the votes contradict each other");
  return evidence;
}

describe("EVIDENCE", () => {
  it("burns the culprit's stake, without a fee, sent by somebody without money", () => {
    const chain = start();
    const tx = chain.sign(stranger, "EVIDENCE", { evidence: equivocation(chain, culprit) });
    expect(tx.fee).toBe(0n);
    expect(chain.run([tx])).toEqual(["OK"]);
    expect(chain.account(culprit)).toMatchObject({ balance: 100_000n, stake: 0n });
    expect(chain.account(stranger)).toMatchObject({ balance: 0n, nonce: 1 });
    expect(chain.head.state.find(SUPPLY_KEY)?.burned).toBe(5000n);
  });

  it("is included once for each height, and not at all where it does not hold", () => {
    const chain = start();
    const send = (evidence: Evidence) => chain.run([chain.sign(stranger, "EVIDENCE", { evidence })]);
    expect(send(equivocation(chain, culprit))).toEqual(["OK"]);
    expect(send(equivocation(chain, culprit))).toEqual([]);
    expect(send(equivocation(chain, culprit, { round: 3, step: "precommit" }))).toEqual([]);
    expect(send(equivocation(chain, culprit, { height: 2 }))).toEqual(["OK"]);
    expect(send(equivocation(chain, stranger))).toEqual([]);
    expect(send(equivocation(start(), culprit))).toEqual([]);
    const forged = equivocation(chain, { ...stranger, address: honest.address });
    expect(send(forged)).toEqual([]);
    expect(chain.account(stranger)?.nonce).toBe(2);
  });

  it("of another chain does not hold", () => {
    const chain = start();
    const other = new TestChain(genesisOf([culprit], []));
    const evidence = equivocation(other, culprit);
    expect(chain.run([chain.sign(stranger, "EVIDENCE", { evidence })])).toEqual([]);
  });

  it("burns the parameter's part, rounded up, of what is unbonding too", () => {
    const chain = start(333_333, 5000n);
    chain.run([chain.sign(culprit, "UNSTAKE", { amount: "1000" })]);
    const evidence = equivocation(chain, culprit);
    expect(chain.run([chain.sign(stranger, "EVIDENCE", { evidence })])).toEqual(["OK"]);
    expect(chain.account(culprit)).toMatchObject({
      stake: 4000n - 1334n,
      unbonding: [{ amount: 1000n - 334n }],
    });
    expect(chain.head.state.find(SUPPLY_KEY)?.burned).toBe(1668n);
  });

  it("does not reach stake that has matured", () => {
    const chain = start();
    chain.run([chain.sign(culprit, "UNSTAKE", { amount: "5000" })]);
    const time = chain.account(culprit)?.unbonding[0]?.maturesAt ?? 0;
    const evidence = equivocation(chain, culprit);
    expect(chain.run([chain.sign(stranger, "EVIDENCE", { evidence })], { time })).toEqual(["OK"]);
    expect(chain.head.state.find(SUPPLY_KEY)?.burned).toBe(0n);
  });

  it("has no fee", () => {
    const chain = start();
    const evidence = equivocation(chain, culprit);
    expect(() => chain.sign(honest, "EVIDENCE", { evidence }, { fee: 1n })).toThrow("/fee");
  });
});
