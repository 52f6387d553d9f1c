import { describe, expect, it } from "vitest";
import { fund, genesisOf, person, TestChain } from "../../../test/harness/ledger.ts";
import { replay } from "../../../test/harness/ledger-replay.ts";
import { canonicalize } from "../../crypto/canonical-json.ts";
import { accountKey } from "./account.ts";
import { keyOfName } from "./kinds.ts";
import { type EntryProof, proveEntry, readEntryProof, verifyEntryProof } from "./proof.ts";
import { listEntries, stateOfEntries } from "./snapshot.ts";

const people = Array.from({ length: 30 }, (_, index) => person(`person ${index}`));
const [alice, stranger] = [person("person 0"), person("stranger")];
const { state } = new TestChain(
  genesisOf(
    [alice],
    people.map((each) => fund(each)),
  ),
).head;

const nameOf = (address: string): string => accountKey(address).name;

/** Whether a text is a proof about an address's account that holds. */
function holds(text: string, address: string): boolean {
  try {
    return verifyEntryProof(readEntryProof(JSON.parse(text)), nameOf(address), state.root);
  } catch {
    return false;
  }
}

function* flips(text: string, step = 1): Generator<string> {
  for (let bit = 0; bit < text.length * 8; bit += step) {
    const bytes = Buffer.from(text);
    bytes[bit >>> 3] = (bytes[bit >>> 3] ?? 0) ^ (1 << (bit & 7));
    yield bytes.toString("utf8");
  }
}

describe("a proof of an account", () => {
  it("shows offline what the account holds", () => {
    const proof = readEntryProof(JSON.parse(canonicalize(proveEntry(state, accountKey(alice.address)))));
    expect(verifyEntryProof(proof, nameOf(alice.address), state.root)).toBe(true);
    expect(proof.value).toBe('{"balance":"1000000000","nonce":0,"stake":"0"}');
    const lie = { ...proof, value: '{"balance":"1000000001","nonce":0,"stake":"0"}' };
    expect(verifyEntryProof(lie, lie.name, state.root)).toBe(false);
    expect(verifyEntryProof({ ...proof, value: null }, proof.name, state.root)).toBe(false);
  });

  it("shows that there is none", () => {
    const proof = proveEntry(state, accountKey(stranger.address));
    expect(proof.value).toBeNull();
    expect(verifyEntryProof(proof, nameOf(stranger.address), state.root)).toBe(true);
    const lie: EntryProof = { ...proof, name: nameOf(alice.address) };
    expect(verifyEntryProof(lie, lie.name, state.root)).toBe(false);
    expect(verifyEntryProof(proof, lie.name, state.root)).toBe(false);
  });

  it.each([
    ["an account", alice.address],
    ["no account", stranger.address],
  ])("of %s is refused with any bit flipped", (_what, address) => {
    const text = canonicalize(proveEntry(state, accountKey(address)));
    expect(holds(text, address)).toBe(true);
    for (const flipped of flips(text)) expect(holds(flipped, address)).toBe(false);
  });
});

describe("a snapshot", () => {
  const head = replay({ seed: 5, operations: 400 }).head;
  const entries = [...listEntries(head.state)];

  it("gives the state back, with all kinds of entries", () => {
    const kinds = new Set(entries.map((text) => (JSON.parse(text) as { name: string }).name.split("/")[0]));
    expect([...kinds].sort()).toEqual([
      "account",
      "ballots",
      "offence",
      "params",
      "supply",
      "validator",
      "validators",
    ]);
    const again = stateOfEntries(entries, head.state.root);
    expect([...listEntries(again)]).toEqual(entries);
    expect(stateOfEntries(entries.toReversed(), head.state.root).root).toBe(head.state.root);
  });

  it("is refused with an entry more, less, twice, or any bit flipped", () => {
    const refused = (texts: readonly string[]) =>
      expect(() => stateOfEntries(texts, head.state.root)).toThrow(
        expect.objectContaining({
          code: expect.stringMatching(/^(INVALID_(PAYLOAD|ARGUMENT)|MALFORMED_JSON)$/),
        }),
      );
    refused(entries.slice(1));
    refused([...entries, entries[0] ?? ""]);
    refused([
      ...entries,
      canonicalize({ name: `account/${stranger.address}`, value: { balance: "1", nonce: 0, stake: "0" } }),
    ]);
    refused([...entries, canonicalize({ name: "treasure", value: {} })]);
    for (const [index, entry] of entries.entries()) {
      // Every state is built anew: of all bits these are a thirteenth, spread over all bytes and places in them.
      for (const flipped of flips(entry, 13)) refused(entries.with(index, flipped));
    }
  });

  it("knows no names but its own", () => {
    expect(keyOfName("supply").name).toBe("supply");
    for (const name of ["supply/x", "accounts/x", "constructor", ""]) {
      expect(() => keyOfName(name)).toThrow(expect.objectContaining({ code: "INVALID_PAYLOAD" }));
    }
  });
});
