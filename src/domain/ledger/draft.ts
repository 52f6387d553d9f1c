import { AppError } from "../../kernel/errors.ts";
import { type EntryKey, hashName } from "./entry.ts";
import type { LedgerState, StateChange } from "./state.ts";
import { SUPPLY_KEY, type Supply, supplyInUse } from "./supply.ts";

/** What the draft knows of one entry that was read or written. */
interface Slot {
  readonly key: EntryKey<unknown>;
  readonly hash: Uint8Array;
  readonly before: unknown;
  value: unknown;
}

/** A state that is being changed: what was written, over a state that stays as it is. */
export class Draft {
  readonly #base: LedgerState;
  readonly #slots = new Map<string, Slot>();
  readonly #undo: (readonly [slot: Slot, value: unknown])[] = [];

  constructor(base: LedgerState) {
    this.#base = base;
  }

  find<Value>(key: EntryKey<Value>): Value | undefined {
    // A slot holds what its own key's kind describes, and equal names have equal kinds.
    return this.#slot(key).value as Value | undefined;
  }

  /** The value of an entry that every state has. */
  get<Value>(key: EntryKey<Value>): Value {
    const value = this.find(key);
    if (value === undefined) throw new AppError("INTERNAL", `the state has no entry ${key.name}`);
    return value;
  }

  /** Writes an entry; undefined removes it. */
  put<Value>(key: EntryKey<Value>, value: Value | undefined): void {
    const slot = this.#slot(key);
    this.#undo.push([slot, slot.value]);
    slot.value = value;
  }

  /** A place to which `rollback` can return. */
  mark(): number {
    return this.#undo.length;
  }

  /** Takes back what was written since a mark. */
  rollback(mark: number): void {
    while (this.#undo.length > mark) {
      const last = this.#undo.pop();
      if (last) last[0].value = last[1];
    }
  }

  /**
   * The state with all that was written. Throws INTERNAL when money came from nowhere or went there: such a
   * state must never be signed.
   */
  commit(): LedgerState {
    const changed = [...this.#slots.values()].filter(({ before, value }) => before !== value);
    checkConservation(changed);
    return this.#base.with(changed.map(toChange));
  }

  #slot(key: EntryKey<unknown>): Slot {
    let slot = this.#slots.get(key.name);
    if (!slot) {
      const hash = hashName(key.name);
      const before = this.#base.find(key, hash);
      slot = { key, hash, before, value: before };
      this.#slots.set(key.name, slot);
    }
    return slot;
  }
}

function toChange({ key, hash, value }: Slot): StateChange {
  return { hash, entry: value === undefined ? undefined : { key, value } };
}

/** Σ of what entries hold changes by exactly what was minted and burned. */
function checkConservation(changed: readonly Slot[]): void {
  let difference = 0n;
  for (const { key, before, value } of changed) {
    if (before !== undefined) difference -= key.kind.holds(before);
    if (value !== undefined) difference += key.kind.holds(value);
  }
  const supply = changed.find(({ key }) => key.name === SUPPLY_KEY.name);
  // The only entry of this name is of this kind.
  const [before, after] = [supply?.before, supply?.value] as [Supply | undefined, Supply | undefined];
  const expected = supplyInUse(after) - supplyInUse(before);
  if (difference !== expected) {
    throw new AppError("INTERNAL", `money is not conserved: ${difference} µAIT instead of ${expected}`);
  }
}
