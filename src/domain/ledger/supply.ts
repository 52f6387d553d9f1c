/** How much was ever issued, and how much of it was destroyed. */
import { readMembers } from "../consensus/read.ts";
import { readAmount } from "./amount.ts";
import { type EntryKind, entryKey } from "./entry.ts";

/** µAIT. */
export interface Supply {
  /** Of the genesis file: balances and stakes. */
  readonly genesis: bigint;
  /** By faucets and other mints since. */
  readonly minted: bigint;
  readonly burned: bigint;
}

const NAMES = ["genesis", "minted", "burned"] as const;

const SUPPLY: EntryKind<Supply> = {
  namespace: "supply",
  holds: () => 0n,
  toJson: ({ genesis, minted, burned }) => ({
    genesis: String(genesis),
    minted: String(minted),
    burned: String(burned),
  }),
  read(json, pointer) {
    const members = readMembers(json, pointer, NAMES);
    const amount = (name: (typeof NAMES)[number]): bigint =>
      BigInt(readAmount(members[name], `${pointer}/${name}`));
    return { genesis: amount("genesis"), minted: amount("minted"), burned: amount("burned") };
  },
};

export const SUPPLY_KEY = entryKey(SUPPLY);

/** µAIT that exist: genesis + minted − burned. */
export function supplyInUse(supply: Supply | undefined): bigint {
  return supply ? supply.genesis + supply.minted - supply.burned : 0n;
}
