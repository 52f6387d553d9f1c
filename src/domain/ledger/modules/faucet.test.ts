import { describe, expect, it } from "vitest";
import { fund, genesisOf, person, TestChain } from "../../../../test/harness/ledger.ts";
import { ISSUE_LIMIT } from "../amount.ts";
import { SUPPLY_KEY } from "../supply.ts";

const [validator, alice] = [person("validator"), person("alice")];
const start = (faucet_max_uait: bigint, balance = 1_000_000n) =>
  new TestChain(
    genesisOf([validator], [fund(validator, balance), fund(alice, 10_000n)], { faucet_max_uait }),
  );
const faucet = (chain: TestChain, amount: string, by = validator) =>
  chain.run([chain.sign(by, "FAUCET", { to: alice.address, amount })]);

describe("FAUCET", () => {
  it("makes money up to its limit, for validators to give away", () => {
    const chain = start(5000n);
    expect(faucet(chain, "5000")).toEqual(["OK"]);
    expect(chain.balance(alice)).toBe(15_000n);
    expect(chain.head.state.find(SUPPLY_KEY)?.minted).toBe(5000n);
    expect(faucet(chain, "5001")).toEqual(["FAUCET_LIMIT"]);
    expect(faucet(chain, "1", alice)).toEqual(["NOT_A_VALIDATOR"]);
  });

  it("does not exist unless the genesis file says so", () => {
    expect(faucet(start(0n), "1")).toEqual(["NO_FAUCET"]);
  });

  it("never issues 2^62 µAIT or more", () => {
    const chain = start(10n ** 15n, ISSUE_LIMIT - 10_000n - 100n);
    expect(faucet(chain, "100")).toEqual(["ISSUE_LIMIT"]);
    expect(faucet(chain, "99")).toEqual(["OK"]);
  });
});
