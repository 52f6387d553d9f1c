import { fromLatin1, toLatin1 } from "../../../crypto/bytes.ts";
import type { IdempotencyKeyTable, IdempotencySlotTable, JobTable } from "../tables.ts";
import { type Db, prepared, preparedRows } from "./handle.ts";
import { findJob } from "./jobs.ts";

/** A slot's bytes as a text of as many characters: one can be looked up in a map. */
export type Slot = string;

/** A key, and the submission that takes it. */
export type TakenKey = Omit<IdempotencyKeyTable, "slot"> & { readonly slot: Slot };

/** What is known of the submission that took a key. */
export interface Holder {
  readonly body_sha256: string;
  /** Its priority, which its job may have no more. */
  readonly priority: number;
  /** Its job as it stands now. */
  readonly job: JobTable;
}

const insertKeys = preparedRows<IdempotencyKeyTable>()((db, rows) =>
  db.insertInto("coordinator_idempotency_key").values(
    rows.map((p) => ({
      seq: p("seq"),
      slot: p("slot"),
      body_sha256: p("body_sha256"),
      job_id: p("job_id"),
      priority: p("priority"),
      created_at: p("created_at"),
    })),
  ),
);

const selectSlots = preparedRows<Pick<IdempotencySlotTable, "slot">>()((db, rows) =>
  db
    .selectFrom("coordinator_idempotency_slot")
    .select(["slot", "seq"])
    .where(
      "slot",
      "in",
      rows.map((p) => p("slot")),
    ),
);

/**
 * Takes keys, each for its submission, where their slots are free; of each what holds it, undefined where it was free.
 * The slots are different ones, and none of those that have come since `indexed_below`.
 */
export async function takeIdempotencyKeys(
  tx: Db,
  keys: readonly (TakenKey | undefined)[],
): Promise<(Holder | undefined)[]> {
  const rows = keys.flatMap((key) => (key ? [{ ...key, slot: fromLatin1(key.slot) }] : []));
  const indexed = await selectSlots.all(tx, rows);
  if (indexed.length === 0) {
    await insertKeys.run(tx, rows);
    return keys.map(() => undefined);
  }
  const seqs = new Map(indexed.map(({ slot, seq }) => [toLatin1(slot), seq]));
  const holders: (Holder | undefined)[] = [];
  for (const key of keys) {
    const seq = key && seqs.get(key.slot);
    // The slot of a key that was forgotten stays until it is cleared away.
    holders.push(seq === undefined ? undefined : await findHolder(tx, seq));
  }
  const held = new Set(keys.filter((_, index) => holders[index] !== undefined).map((key) => key?.seq));
  await insertKeys.run(
    tx,
    rows.filter(({ seq }) => !held.has(seq)),
  );
  return holders;
}

const selectKey = prepared<Pick<IdempotencyKeyTable, "seq">>()((db, p) =>
  db
    .selectFrom("coordinator_idempotency_key")
    .select(["job_id", "body_sha256", "priority"])
    .where("seq", "=", p("seq")),
);

/** The submission with this number; undefined when it was forgotten. */
export async function findHolder(db: Db, seq: number): Promise<Holder | undefined> {
  const key = await selectKey.first(db, { seq });
  if (!key) return undefined;
  const job = await findJob(db, key.job_id);
  if (!job) throw new Error("an Idempotency-Key is taken by a job that does not exist");
  return { body_sha256: key.body_sha256, priority: key.priority, job };
}

/** The submission of a slot that is in the index. */
export async function findHolderBySlot(db: Db, slot: Slot): Promise<Holder | undefined> {
  const [found] = await selectSlots.all(db, [{ slot: fromLatin1(slot) }]);
  return found && findHolder(db, found.seq);
}

/** Keys from a number on that the index may lack, in their order. */
export function listUnindexed(db: Db, from: number): Promise<Pick<IdempotencyKeyTable, "seq" | "slot">[]> {
  return db
    .selectFrom("coordinator_idempotency_key")
    .select(["seq", "slot"])
    .where("seq", ">=", from)
    .orderBy("seq")
    .execute();
}

/** The number from which on the index may lack keys. */
export async function findMark(db: Db): Promise<number> {
  const row = await db
    .selectFrom("coordinator_idempotency_mark")
    .select("indexed_below")
    .where("id", "=", 1)
    .executeTakeFirstOrThrow();
  return row.indexed_below;
}

const upsertSlots = preparedRows<IdempotencySlotTable>()((db, rows) =>
  db
    .insertInto("coordinator_idempotency_slot")
    .values(rows.map((p) => ({ slot: p("slot"), seq: p("seq") })))
    .onConflict((conflict) => conflict.column("slot").doUpdateSet((e) => ({ seq: e.ref("excluded.seq") }))),
);

const updateMark = prepared<{ indexed_below: number }>()((db, p) =>
  db
    .updateTable("coordinator_idempotency_mark")
    .set({ indexed_below: p("indexed_below") })
    .where("id", "=", 1),
);

/** Adds keys to the index, best in the order of their slots. Afterwards it has all below `indexedBelow`. */
export async function indexKeys(
  tx: Db,
  keys: readonly { readonly slot: Slot; readonly seq: number }[],
  indexedBelow: number,
): Promise<void> {
  await upsertSlots.run(
    tx,
    keys.map(({ slot, seq }) => ({ slot: fromLatin1(slot), seq })),
  );
  await updateMark.run(tx, { indexed_below: indexedBelow });
}

/** Forgets keys older than `before` (Unix ms), at most `limit` at once; how many. */
export async function forgetKeys(tx: Db, before: number, limit: number): Promise<number> {
  // Keys are stored in the order of their time, so the oldest lie at the beginning.
  const old = await tx
    .selectFrom("coordinator_idempotency_key")
    .select(["seq", "created_at"])
    .orderBy("seq")
    .limit(limit)
    .execute();
  const last = old.findLast((row) => row.created_at < before);
  if (!last) return 0;
  const result = await tx
    .deleteFrom("coordinator_idempotency_key")
    .where("seq", "<=", last.seq)
    .where("created_at", "<", before)
    .executeTakeFirst();
  return Number(result.numDeletedRows);
}

/**
 * Removes slots of forgotten keys among the next `limit` after `after` (the empty text: from the first on). Returns
 * where to go on, undefined at the end.
 */
export async function clearSlots(tx: Db, after: Slot, limit: number): Promise<Slot | undefined> {
  const first = await tx
    .selectFrom("coordinator_idempotency_key")
    .select("seq")
    .orderBy("seq")
    .limit(1)
    .executeTakeFirst();
  const next = await tx
    .selectFrom("coordinator_idempotency_slot")
    .select("slot")
    .where("slot", ">", fromLatin1(after))
    .orderBy("slot")
    .limit(limit)
    .execute();
  const last = next.at(-1);
  if (!last) return undefined;
  await tx
    .deleteFrom("coordinator_idempotency_slot")
    .where("slot", ">", fromLatin1(after))
    .where("slot", "<=", last.slot)
    // Without a key the next one has a number that is not smaller than the mark.
    .where("seq", "<", first?.seq ?? (await findMark(tx)))
    .execute();
  return next.length < limit ? undefined : toLatin1(last.slot);
}
