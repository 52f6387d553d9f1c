/** Every kind of entry: with these a state is read back from its entries. */
import { AppError } from "../../kernel/errors.ts";
import { ACCOUNT } from "./account.ts";
import { BALLOTS_KEY } from "./ballots.ts";
import type { EntryKey, EntryKind } from "./entry.ts";
import { OFFENCE } from "./modules/evidence.ts";
import { PARAMS_KEY, VALIDATORS_KEY } from "./schedule.ts";
import { SUPPLY_KEY } from "./supply.ts";
import { VALIDATOR } from "./validator-terms.ts";

const SINGLE: readonly EntryKey<unknown>[] = [SUPPLY_KEY, PARAMS_KEY, VALIDATORS_KEY, BALLOTS_KEY];
const MANY: readonly EntryKind<unknown>[] = [ACCOUNT, VALIDATOR, OFFENCE];

/** The key with a name. Throws INVALID_PAYLOAD for a name that no entry can have. */
export function keyOfName(name: string): EntryKey<unknown> {
  const single = SINGLE.find((key) => key.name === name);
  if (single) return single;
  const kind = MANY.find(({ namespace }) => name.startsWith(`${namespace}/`));
  if (kind) return { kind, name };
  throw new AppError("INVALID_PAYLOAD", `no entry of the state has the name ${name.slice(0, 128)}`);
}
