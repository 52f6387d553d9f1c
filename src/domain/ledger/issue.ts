/** Making money and destroying it. */
import { ISSUE_LIMIT } from "./amount.ts";
import type { Draft } from "./draft.ts";
import { SUPPLY_KEY } from "./supply.ts";

/** Notes newly made money, which the caller gives to somebody. False where the chain may not issue so much. */
export function mint(draft: Draft, amount: bigint): boolean {
  const supply = draft.get(SUPPLY_KEY);
  const minted = supply.minted + amount;
  if (supply.genesis + minted >= ISSUE_LIMIT) return false;
  draft.put(SUPPLY_KEY, { ...supply, minted });
  return true;
}

/** Notes the destruction of money, which the caller takes from somebody. */
export function burn(draft: Draft, amount: bigint): void {
  const supply = draft.get(SUPPLY_KEY);
  draft.put(SUPPLY_KEY, { ...supply, burned: supply.burned + amount });
}
