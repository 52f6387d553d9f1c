import { describe, expect, it } from "vitest";
import { fund, genesisOf, person } from "../../../test/harness/ledger.ts";
import { addressOfModule } from "../../crypto/address.ts";
import { type Canonicalizable, canonicalize } from "../../crypto/canonical-json.ts";
import { sha256Hex } from "../../crypto/hash.ts";
import { ISSUE_LIMIT } from "./amount.ts";
import { startChain } from "./block.ts";
import { genesisHash, genesisToJson, parseGenesis } from "./genesis.ts";
import { SUPPLY_KEY } from "./supply.ts";

const [validator, alice, bob] = [person("validator"), person("alice"), person("bob")];
const genesis = genesisOf([validator], [fund(alice, 5n, 7n), fund(bob)]);
type Json = Record<string, Canonicalizable>;
const json = genesisToJson(genesis) as Json;
const account = { address: alice.address, balance: "5", stake: "7" };
const withMembers = (members: Json): string => JSON.stringify({ ...json, ...members });

describe("a genesis file", () => {
  it("is read back, however it is indented, and hashed in canonical form", () => {
    const read = parseGenesis(JSON.stringify(json, null, 2));
    expect(genesisToJson(read)).toEqual(json);
    expect(genesisHash(read)).toBe(sha256Hex(canonicalize(json)));
  });

  it("has one hash for one content, in whichever order its lists are", () => {
    const shuffled = genesisOf([validator], genesis.accounts.toReversed());
    expect(genesisHash(shuffled)).toBe(genesisHash(genesis));
    const accounts = [...(json["accounts"] as readonly Canonicalizable[])].reverse();
    expect(genesisHash(parseGenesis(withMembers({ accounts })))).toBe(genesisHash(genesis));
  });

  it("begins a chain whose supply is what its accounts hold", () => {
    const { head, chain } = startChain(genesis);
    expect(head).toMatchObject({ height: 0, hash: genesisHash(genesis), time: genesis.time });
    expect(chain.chainId).toBe("aitbc-test");
    expect(head.state.find(SUPPLY_KEY)).toEqual({ genesis: 1_000_000_012n, minted: 0n, burned: 0n });
  });

  it.each<readonly [what: string, text: string]>([
    ["another version", withMembers({ v: 2 })],
    ["a member more", withMembers({ name: "mine" })],
    ["no validators", withMembers({ validators: [] })],
    [
      "one validator twice",
      withMembers({ validators: [0, 1].map(() => ({ public_key: validator.publicKey })) }),
    ],
    ["one account twice", withMembers({ accounts: [account, account] })],
    [
      "the account of a module",
      withMembers({ accounts: [{ ...account, address: addressOfModule("treasury") }] }),
    ],
    ["too much money", withMembers({ accounts: [{ ...account, balance: String(ISSUE_LIMIT - 7n) }] })],
    ["a parameter missing", withMembers({ params: { base_fee_uait: "1" } })],
    ["no time", withMembers({ time: 0 })],
    ["a name that no chain can have", withMembers({ chain_id: "Main Net" })],
    ["another kind of document", "[]"],
  ])("is refused with %s", (_what, text) => {
    expect(() => parseGenesis(text)).toThrow(
      expect.objectContaining({ code: expect.stringMatching(/^INVALID_(PAYLOAD|ARGUMENT)$/) }),
    );
  });
});
