/**
 * What changes two heights after it was decided: parameters and validators. The state after block h holds the
 * value for h + 1 and the one for h + 2, so that the header of each block can name the validators of the next.
 */
import { fromBase64Url } from "../../crypto/bytes.ts";
import { PUBLIC_KEY_BYTES } from "../../crypto/ed25519.ts";
import { PUBLIC_KEY, readList, readMembers, readText } from "../consensus/read.ts";
import { MAX_VALIDATORS, ValidatorSet } from "../consensus/validator-set.ts";
import type { Draft } from "./draft.ts";
import { type EntryKey, type EntryKind, entryKey } from "./entry.ts";
import { type Params, paramsToJson, readParams } from "./params.ts";

/** Heights between the block that decides on a change and the first one under it. */
export const CHANGE_DELAY = 2;

export interface Scheduled<Value> {
  /** In force at the height after the state's block. */
  readonly next: Value;
  /** In force at the height after that. */
  readonly after: Value;
}

const NAMES = ["next", "after"] as const;

const PARAMS: EntryKind<Scheduled<Params>> = {
  namespace: "params",
  holds: () => 0n,
  toJson: ({ next, after }) => ({ next: paramsToJson(next), after: paramsToJson(after) }),
  read(json, pointer) {
    const { next, after } = readMembers(json, pointer, NAMES);
    return { next: readParams(next, `${pointer}/next`), after: readParams(after, `${pointer}/after`) };
  },
};

const VALIDATORS: EntryKind<Scheduled<ValidatorSet>> = {
  namespace: "validators",
  holds: () => 0n,
  toJson: ({ next, after }) => ({ next: listKeys(next), after: listKeys(after) }),
  read(json, pointer) {
    const { next, after } = readMembers(json, pointer, NAMES);
    return { next: readSet(next, `${pointer}/next`), after: readSet(after, `${pointer}/after`) };
  },
};

export const PARAMS_KEY = entryKey(PARAMS);
export const VALIDATORS_KEY = entryKey(VALIDATORS);

/** Public keys of a set, base64url, in the order of its addresses. */
function listKeys({ validators }: ValidatorSet): readonly string[] {
  return validators.map(({ public_key }) => public_key);
}

function readSet(json: unknown, pointer: string): ValidatorSet {
  const keys = readList(json, pointer, MAX_VALIDATORS, (value, at) =>
    fromBase64Url("public_key", readText(value, at, PUBLIC_KEY), PUBLIC_KEY_BYTES),
  );
  return new ValidatorSet(keys);
}

/** Moves on by one height, and returns the value in force at it. */
export function advance<Value>(draft: Draft, key: EntryKey<Scheduled<Value>>): Value {
  const { next, after } = draft.get(key);
  if (next !== after) draft.put(key, { next: after, after });
  return next;
}

/** Changes what will be in force CHANGE_DELAY heights after the block that is being applied. */
export function schedule<Value>(draft: Draft, key: EntryKey<Scheduled<Value>>, value: Value): void {
  draft.put(key, { ...draft.get(key), after: value });
}
