import { toLatin1 } from "../../crypto/bytes.ts";
import type { Store } from "./ports.ts";
import {
  clearSlots,
  findHolder,
  findHolderBySlot,
  findMark,
  forgetKeys,
  type Holder,
  indexKeys,
  listUnindexed,
  type Slot,
  type TakenKey,
} from "./store/idempotency.ts";

/** Parts of the slots' space, by their first byte. */
const PARTS = 256;
/**
 * With so many numbers of keys the next part goes to the index. Each waits for PARTS of these turns, so some 16,000 keys
 * wait on the mean, and a page of the index takes several at once.
 */
const KEYS_A_TURN = 128;
/** Keys that one operation indexes, forgets or looks through: some milliseconds of the writer's time. */
const KEYS_AT_ONCE = 1_024;
/** How often the index is cleared of forgotten keys, in ms: all of it is read. */
const CLEAR_INTERVAL_MS = 3_600_000;

/** A key that has come since: stored under its number, or about to be. */
type Recent = number | { readonly seq: number; readonly ended: Promise<void> };
type Part = Map<Slot, Recent>;

const seqOf = (recent: Recent): number => (typeof recent === "number" ? recent : recent.seq);

/**
 * Which Idempotency-Keys are taken. Clients make them at random, and each would change a page of an index of its
 * own, which costs as much as all the rest of a submission. So keys are stored in the order of their coming, and those
 * that the index lacks are known here; part by part they go to the index in its own order.
 */
export class IdempotencyKeys {
  readonly #store: Store;
  readonly #parts: readonly Part[] = Array.from({ length: PARTS }, () => new Map());
  #nextSeq = 1;
  /** Ends with the last indexing that was begun. */
  #indexing: Promise<void> = Promise.resolve();
  #clearedAt = Number.NEGATIVE_INFINITY;

  constructor(store: Store) {
    this.#store = store;
  }

  /** Learns what an earlier process left out of the index. */
  async load(): Promise<void> {
    const { db } = this.#store;
    this.#nextSeq = await findMark(db);
    for (const { seq, slot } of await listUnindexed(db, this.#nextSeq)) {
      const text = toLatin1(slot);
      this.#partOf(text).set(text, seq);
      this.#nextSeq = seq + 1;
    }
  }

  /**
   * Runs `store` with a key that is free, as far as this process knows: it stores the key with the submission that
   * takes it, or finds what holds it. Callers with one key wait for each other.
   */
  async take(
    key: Omit<TakenKey, "seq">,
    store: (taken: TakenKey) => Promise<Holder | undefined>,
  ): Promise<Holder | undefined> {
    const part = this.#partOf(key.slot);
    for (let recent = part.get(key.slot); recent !== undefined; recent = part.get(key.slot)) {
      const holder = await this.#wait(key.slot, recent);
      if (holder) return holder;
    }
    const seq = this.#nextSeq++;
    const { promise: ended, resolve: end } = Promise.withResolvers<void>();
    part.set(key.slot, { seq, ended });
    let isFree = false;
    try {
      const holder = await store({ ...key, seq });
      isFree = holder === undefined;
      return holder;
    } finally {
      if (isFree) part.set(key.slot, seq);
      else part.delete(key.slot);
      end();
      if (isFree) this.#stored(seq);
    }
  }

  /** Whether a submission holds the key. */
  async isTaken(slot: Slot): Promise<boolean> {
    return this.#partOf(slot).has(slot) || (await findHolderBySlot(this.#store.db, slot)) !== undefined;
  }

  /** Forgets keys older than `before` (Unix ms), and brings what is known here alone into the index. */
  async tidy(before: number, monotonicNow: number): Promise<void> {
    await this.#indexAll();
    while ((await this.#store.operation(forgetKeys, before, KEYS_AT_ONCE)) === KEYS_AT_ONCE);
    if (monotonicNow - this.#clearedAt < CLEAR_INTERVAL_MS) return;
    this.#clearedAt = monotonicNow;
    let after: Slot | undefined = "";
    while (after !== undefined) after = await this.#store.operation(clearSlots, after, KEYS_AT_ONCE);
  }

  /** What holds a key that has come since; undefined where the caller that was to store it has ended, and may not have. */
  async #wait(slot: Slot, recent: Recent): Promise<Holder | undefined> {
    if (typeof recent !== "number") {
      await recent.ended;
      return undefined;
    }
    const holder = await findHolder(this.#store.db, recent);
    // It was forgotten, as where the clock was set forward by a day.
    const part = this.#partOf(slot);
    if (!holder && part.get(slot) === recent) part.delete(slot);
    return holder;
  }

  #partOf(slot: Slot): Part {
    const part = this.#parts[slot.charCodeAt(0)];
    if (part === undefined) throw new Error("a slot is a text of bytes");
    return part;
  }

  /** Each number that ends a turn names the part whose turn it is. */
  #stored(seq: number): void {
    if (seq % KEYS_A_TURN !== 0) return;
    const part = this.#parts[(seq / KEYS_A_TURN) % PARTS];
    this.#indexing = this.#indexing
      .then(() => part && this.#index([part]))
      // They are still known here, and wait for another turn; a storage that failed ends the process by itself.
      .catch(() => {});
  }

  /** Brings all that is stored into the index. */
  async #indexAll(): Promise<void> {
    let some: Part[] = [];
    let keys = 0;
    for (const part of this.#parts) {
      some.push(part);
      keys += part.size;
      if (keys < KEYS_AT_ONCE && part !== this.#parts.at(-1)) continue;
      await this.#indexing;
      if (keys > 0) await this.#index(some);
      some = [];
      keys = 0;
    }
  }

  async #index(parts: readonly Part[]): Promise<void> {
    const keys: { slot: Slot; seq: number }[] = [];
    for (const part of parts) {
      for (const [slot, recent] of part) if (typeof recent === "number") keys.push({ slot, seq: recent });
    }
    keys.sort((a, b) => (a.slot < b.slot ? -1 : 1));
    await this.#store.operation(indexKeys, keys, this.#lowestBut(new Set(parts)));
    for (const { slot } of keys) this.#partOf(slot).delete(slot);
  }

  /** Number of the first key that the index will lack once it has those of these parts that are stored. */
  #lowestBut(indexed: ReadonlySet<Part>): number {
    let lowest = this.#nextSeq;
    for (const part of this.#parts) {
      for (const recent of part.values()) {
        if (indexed.has(part) && typeof recent === "number") continue;
        lowest = Math.min(lowest, seqOf(recent));
        // Within a part they stand in the order of their numbers.
        break;
      }
    }
    return lowest;
  }
}
