import { describe, expect, it } from "vitest";
import { fund, genesisOf, type Person, person, TestChain } from "../../../../test/harness/ledger.ts";
import { rulesAbove } from "../block.ts";
import { Draft } from "../draft.ts";
import type { ParamsJson } from "../params.ts";
import { findValidatorKey } from "../validator-terms.ts";

const people = ["v1", "v2", "v3", "v4"].map(person);
const [v1, v2, v3, v4] = people as [Person, Person, Person, Person];
const newcomer = person("newcomer");
const everybody = [...people, newcomer];

const start = (validators = people) =>
  new TestChain(
    genesisOf(
      validators,
      everybody.map((each) => fund(each)),
      { ballot_seconds: 60 },
    ),
  );

const add = (chain: TestChain, by: Person, whom = newcomer) =>
  chain.sign(by, "VALIDATOR_VOTE", { action: "add", public_key: whom.publicKey });
const remove = (chain: TestChain, by: Person, whom: Person) =>
  chain.sign(by, "VALIDATOR_VOTE", { action: "remove", public_key: whom.publicKey });
const update = (chain: TestChain, by: Person, changes: Partial<ParamsJson>) =>
  chain.sign(by, "PARAM_UPDATE", { changes });
const sizes = (chain: TestChain) => {
  const { validators, nextValidators } = rulesAbove(chain.head);
  return [validators.size, nextValidators.size];
};

describe("VALIDATOR_VOTE", () => {
  it("by a quorum changes the set two heights later, and the header above names it", () => {
    const chain = start();
    expect(chain.run([add(chain, v1), add(chain, v2)])).toEqual(["OK", "OK"]);
    expect(sizes(chain)).toEqual([4, 4]);
    const decided = chain.produce([add(chain, v3)]).block;
    expect(chain.run([add(chain, v3)])).toEqual(["OK"]);
    expect(sizes(chain)).toEqual([4, 5]);
    const above = chain.produce([]).block;
    chain.skip(1);
    expect(sizes(chain)).toEqual([5, 5]);
    const two = chain.produce([]).block;
    expect(above.header.validators_hash).toBe(decided.header.validators_hash);
    expect(above.header.next_validators_hash).toBe(two.header.validators_hash);
    expect(two.header.validators_hash).not.toBe(above.header.validators_hash);
  });

  it("counts each validator once, and nobody else", () => {
    const chain = start();
    expect(chain.run([add(chain, v1), add(chain, newcomer)])).toEqual(["OK", "NOT_A_VALIDATOR"]);
    expect(chain.run([add(chain, v1), add(chain, v2)])).toEqual(["ALREADY_VOTED", "OK"]);
    expect(sizes(chain)).toEqual([4, 4]);
  });

  it("fails where it would change nothing, or leave nobody", () => {
    const chain = start();
    expect(chain.run([add(chain, v1, v2), remove(chain, v2, newcomer)])).toEqual([
      "VALIDATOR_EXISTS",
      "VALIDATOR_UNKNOWN",
    ]);
    const alone = start([v1]);
    expect(alone.run([remove(alone, v1, v1)])).toEqual(["LAST_VALIDATOR"]);
  });

  it("lapses after the ballot time, and counts no validator that was removed since", () => {
    const chain = start();
    chain.run([add(chain, v1), add(chain, v2)]);
    chain.run([add(chain, v3)], { time: chain.head.time + 60_000 });
    chain.skip(2);
    expect(sizes(chain)).toEqual([4, 4]);
    chain.run([remove(chain, v1, v3), remove(chain, v2, v3), remove(chain, v4, v3)]);
    chain.skip(2);
    expect(sizes(chain)).toEqual([3, 3]);
    // One vote of a removed validator is left: quorum of three is three.
    chain.run([add(chain, v1), add(chain, v2)]);
    chain.skip(2);
    expect(sizes(chain)).toEqual([3, 3]);
    chain.run([add(chain, v4)]);
    chain.skip(2);
    expect(sizes(chain)).toEqual([4, 4]);
  });

  it("opens eight ballots for one validator at most", () => {
    const chain = start();
    const votes = Array.from({ length: 9 }, (_, index) =>
      chain.sign(
        v1,
        "VALIDATOR_VOTE",
        { action: "add", public_key: person(`n${index}`).publicKey },
        { nonce: index + 1 },
      ),
    );
    expect(chain.run(votes).at(-1)).toBe("TOO_MANY_BALLOTS");
    expect(chain.run([add(chain, v2)])).toEqual(["OK"]);
  });

  it("leaves for ever on record who was a validator at which height", () => {
    const chain = start([v1]);
    chain.run([add(chain, v1)]);
    chain.skip(3);
    chain.run([remove(chain, v1, newcomer), remove(chain, newcomer, newcomer)]);
    chain.skip(3);
    const known = (height: number) => findValidatorKey(new Draft(chain.head.state), newcomer.address, height);
    expect([2, 3, 6, 7].map((height) => known(height) !== undefined)).toEqual([false, true, true, false]);
  });
});

describe("PARAM_UPDATE", () => {
  it("by a quorum changes fees two heights later", () => {
    const chain = start([v1]);
    chain.run([update(chain, v1, { base_fee_uait: "5000" })]);
    const fees = () => chain.sign(v1, "STAKE", { amount: "1" }).fee;
    const before = fees();
    expect(chain.run([chain.sign(v2, "STAKE", { amount: "1" })])).toEqual(["OK"]);
    expect(fees()).toBeGreaterThan(before + 4900n);
    expect(chain.run([chain.sign(v2, "STAKE", { amount: "1" }, { fee: before })])).toEqual([]);
  });

  it("adds changes up that are decided in one block", () => {
    const chain = start([v1]);
    chain.run([
      update(chain, v1, { base_fee_uait: "7" }),
      chain.sign(
        v1,
        "PARAM_UPDATE",
        { changes: { fee_per_byte_uait: "3", ballot_seconds: 61 } },
        { nonce: 2 },
      ),
    ]);
    chain.skip(1);
    expect(rulesAbove(chain.head).params).toMatchObject({
      base_fee_uait: 7n,
      fee_per_byte_uait: 3n,
      ballot_seconds: 61,
    });
  });

  it("is for validators", () => {
    const chain = start();
    expect(chain.run([update(chain, newcomer, { base_fee_uait: "7" })])).toEqual(["NOT_A_VALIDATOR"]);
  });

  it.each<readonly [what: string, changes: Partial<ParamsJson>]>([
    ["nothing", {}],
    ["the faucet", { faucet_max_uait: "1" }],
    ["a parameter out of range", { max_block_bytes: 1 }],
    ["an amount out of range", { base_fee_uait: "10000001" }],
    ["an amount as a number", { base_fee_uait: 7 } as object],
    ["a parameter that is none", { block_reward: 7 } as object],
  ])("cannot change %s", (_what, changes) => {
    const chain = start();
    expect(() => update(chain, v1, changes)).toThrow(expect.objectContaining({ code: "INVALID_PAYLOAD" }));
  });
});
