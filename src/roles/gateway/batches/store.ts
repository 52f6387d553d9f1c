import type { Kysely } from "kysely";
import { AppError } from "../../../kernel/errors.ts";
import type { BatchError, BatchStatus } from "../../../wire/openai/batches.ts";
import { insertFile } from "../files/store.ts";
import type { BatchLineTable, BatchTable, FileTable, GatewayTables } from "../tables.ts";

type Db = Kysely<GatewayTables>;

/** The states of a batch that has not ended. */
const ACTIVE = ["validating", "in_progress", "finalizing", "cancelling"] as const satisfies BatchStatus[];
/** Batches that have not ended, of one owner and of all: each has its lines in the database. */
const MAX_ACTIVE_BATCHES = 100;
const MAX_ALL_ACTIVE_BATCHES = 1_000;
/** Lines that are deleted at once when their batch has ended. */
const DELETE_PAGE = 1_000;

/**
 * Stores a batch; with a key that its owner has used, gives back the earlier one instead.
 * @throws AppError LIMIT_EXCEEDED
 */
export async function addBatch(tx: Db, row: BatchTable): Promise<BatchTable> {
  const kept = await insertBatch(tx, row);
  if (kept !== row) return kept;
  // Counted with itself.
  if ((await countActive(tx, row.owner_id)) > MAX_ACTIVE_BATCHES) {
    throw tooMany(MAX_ACTIVE_BATCHES, "you have");
  }
  if ((await countActive(tx)) > MAX_ALL_ACTIVE_BATCHES) throw tooMany(MAX_ALL_ACTIVE_BATCHES, "there are");
  return row;
}

function tooMany(most: number, who: string): AppError {
  return new AppError("LIMIT_EXCEEDED", `${who} ${most} batches that have not ended; wait for one`);
}

/** Stores a batch, unless its owner has used its key: then it is the earlier one that comes back. */
async function insertBatch(tx: Db, row: BatchTable): Promise<BatchTable> {
  const inserted = await tx
    .insertInto("gateway_batch")
    .values(row)
    .onConflict((conflict) => conflict.columns(["owner_id", "idempotency_key"]).doNothing())
    .returning("batch_id")
    .executeTakeFirst();
  if (inserted) return row;
  return tx
    .selectFrom("gateway_batch")
    .selectAll()
    .where("owner_id", "=", row.owner_id)
    .where("idempotency_key", "=", row.idempotency_key)
    .executeTakeFirstOrThrow();
}

/** A batch; of any owner where none is named. */
export function findBatch(db: Db, batchId: string, ownerId?: string): Promise<BatchTable | undefined> {
  let query = db.selectFrom("gateway_batch").selectAll().where("batch_id", "=", batchId);
  if (ownerId !== undefined) query = query.where("owner_id", "=", ownerId);
  return query.executeTakeFirst();
}

/** Batches, newest first, from after one of them. */
export function listBatchRows(
  db: Db,
  { ownerId, after, limit }: { ownerId: string | undefined; after: string | undefined; limit: number },
): Promise<BatchTable[]> {
  let query = db.selectFrom("gateway_batch").selectAll().orderBy("batch_id", "desc").limit(limit);
  if (ownerId !== undefined) query = query.where("owner_id", "=", ownerId);
  if (after !== undefined) query = query.where("batch_id", "<", after);
  return query.execute();
}

/** The batches that have not ended, oldest first. */
export function listActive(db: Db): Promise<BatchTable[]> {
  return db
    .selectFrom("gateway_batch")
    .selectAll()
    .where("status", "in", ACTIVE)
    .orderBy("batch_id")
    .execute();
}

/** How many batches of an owner, or of all, have not ended. */
async function countActive(db: Db, ownerId?: string): Promise<number> {
  let query = db
    .selectFrom("gateway_batch")
    .select(({ fn }) => fn.countAll<number>().as("batches"))
    .where("status", "in", ACTIVE);
  if (ownerId !== undefined) query = query.where("owner_id", "=", ownerId);
  return Number((await query.executeTakeFirstOrThrow()).batches);
}

/** The batch that works on a file. */
export async function findBatchOn(db: Db, fileId: string): Promise<string | undefined> {
  const row = await db
    .selectFrom("gateway_batch")
    .select("batch_id")
    .where("status", "in", ACTIVE)
    .where("input_file_id", "=", fileId)
    .limit(1)
    .executeTakeFirst();
  return row?.batch_id;
}

export type BatchChange = Partial<Omit<BatchTable, "batch_id" | "owner_id">>;

/** Changes a batch that is in one of some states; the row as it is then, undefined where it was in none. */
export function changeBatch(
  tx: Db,
  batchId: string,
  from: readonly BatchStatus[],
  change: BatchChange,
): Promise<BatchTable | undefined> {
  return tx
    .updateTable("gateway_batch")
    .set(change)
    .where("batch_id", "=", batchId)
    .where("status", "in", from)
    .returningAll()
    .executeTakeFirst();
}

/** Tells why the end of a batch waits; null: it waits for nothing any more. */
export async function noteErrors(tx: Db, batchId: string, errors: readonly BatchError[]): Promise<void> {
  await tx
    .updateTable("gateway_batch")
    .set({ errors: errors.length === 0 ? null : JSON.stringify(errors) })
    .where("batch_id", "=", batchId)
    .execute();
}

/** Names the files of a batch and ends it, all at once; whether it was still to be ended. */
export async function endBatch(
  tx: Db,
  batchId: string,
  files: readonly FileTable[],
  change: BatchChange,
): Promise<boolean> {
  if (!(await changeBatch(tx, batchId, ["finalizing", "cancelling"], change))) return false;
  for (const file of files) await insertFile(tx, file);
  return true;
}

export type NewLine = Pick<BatchLineTable, "line" | "custom_id" | "start_byte" | "end_byte">;

/** Stores lines; the numbers of those whose `custom_id` another one has. */
export async function insertLines(tx: Db, batch_id: string, lines: readonly NewLine[]): Promise<number[]> {
  const duplicates: number[] = [];
  for (const line of lines) {
    const inserted = await tx
      .insertInto("gateway_batch_line")
      .values({ ...line, batch_id, state: "pending", job_id: null, failure: null })
      .onConflict((conflict) => conflict.columns(["batch_id", "custom_id"]).doNothing())
      .returning("line")
      .executeTakeFirst();
    if (!inserted) duplicates.push(line.line);
  }
  return duplicates;
}

/** The batches that have lines, whatever has become of them. */
export async function listBatchesWithLines(db: Db): Promise<string[]> {
  const ids: string[] = [];
  for (;;) {
    // One step in the index a batch, however many lines it has.
    const next = await db
      .selectFrom("gateway_batch_line")
      .select("batch_id")
      .where("batch_id", ">", ids.at(-1) ?? "")
      .orderBy("batch_id")
      .limit(1)
      .executeTakeFirst();
    if (!next) return ids;
    ids.push(next.batch_id);
  }
}

/** Deletes lines of a batch, a page at a time; whether there are more. */
export async function deleteLines(tx: Db, batchId: string): Promise<boolean> {
  const page = await tx
    .selectFrom("gateway_batch_line")
    .select("line")
    .where("batch_id", "=", batchId)
    .orderBy("line")
    .limit(DELETE_PAGE)
    .execute();
  const last = page.at(-1);
  if (!last) return false;
  await tx
    .deleteFrom("gateway_batch_line")
    .where("batch_id", "=", batchId)
    .where("line", "<=", last.line)
    .execute();
  return page.length === DELETE_PAGE;
}

/** Lines of a batch in some states, in their order, from after one of them. */
export function listLines(
  db: Db,
  batchId: string,
  states: readonly BatchLineTable["state"][],
  after: number,
  limit: number,
): Promise<BatchLineTable[]> {
  return db
    .selectFrom("gateway_batch_line")
    .selectAll()
    .where("batch_id", "=", batchId)
    .where("line", ">", after)
    .where("state", "in", states)
    .orderBy("line")
    .limit(limit)
    .execute();
}

/** A line has become a job, unless that has ended already. */
export async function markQueued(tx: Db, batchId: string, line: number, jobId: string): Promise<void> {
  await tx
    .updateTable("gateway_batch_line")
    .set({ state: "queued", job_id: jobId })
    .where("batch_id", "=", batchId)
    .where("line", "=", line)
    .where("state", "=", "pending")
    .execute();
}

export type LineEnd = Pick<BatchLineTable, "line" | "job_id" | "failure"> & {
  readonly state: "completed" | "failed" | "stopped";
};

/** Ends a line and counts it, once; whether it had not ended before. */
export async function endLine(tx: Db, batchId: string, { line, ...end }: LineEnd): Promise<boolean> {
  const { numUpdatedRows } = await tx
    .updateTable("gateway_batch_line")
    .set(end)
    .where("batch_id", "=", batchId)
    .where("line", "=", line)
    .where("state", "in", ["pending", "queued"])
    .executeTakeFirst();
  if (numUpdatedRows !== 1n) return false;
  if (end.state === "stopped") return true;
  const counter = end.state;
  await tx
    .updateTable("gateway_batch")
    .set((e) => ({ [counter]: e(counter, "+", 1) }))
    .where("batch_id", "=", batchId)
    .execute();
  return true;
}
