import type { Insertable, Selectable } from "kysely";
import type { Db } from "../store.ts";
import type { JobTable, ReceiptTable } from "../tables.ts";

export type JobRow = Selectable<JobTable>;
export type ReceiptRow = Selectable<ReceiptTable>;
export type NewReceipt = Insertable<ReceiptTable>;

/** A job of a coordinator. */
export interface JobKey {
  readonly source: string;
  readonly job_id: string;
}

/** Newest job of a source that was noted; empty before the first. */
export async function findNewestJob(db: Db, source: string): Promise<string> {
  const row = await db
    .selectFrom("wallet_source")
    .select("newest_job")
    .where("source", "=", source)
    .executeTakeFirst();
  return row?.newest_job ?? "";
}

export async function putNewestJob(tx: Db, source: string, newest_job: string): Promise<void> {
  await tx
    .insertInto("wallet_source")
    .values({ source, newest_job })
    .onConflict((conflict) => conflict.column("source").doUpdateSet({ newest_job }))
    .execute();
}

/** Notes jobs whose receipts are to be read; those that are noted already stay as they are. */
export async function noteJobs(tx: Db, keys: readonly JobKey[], now: number): Promise<void> {
  if (keys.length === 0) return;
  const rows = keys.map((key) => ({
    ...key,
    cursor: null,
    complete: 0 as const,
    receipts: 0,
    verified: 0,
    failure_reasons: "[]",
    updated_at: now,
  }));
  await tx
    .insertInto("wallet_job")
    .values(rows)
    .onConflict((conflict) => conflict.columns(["job_id", "source"]).doNothing())
    .execute();
}

export function findJob(db: Db, { source, job_id }: JobKey): Promise<JobRow | undefined> {
  return db
    .selectFrom("wallet_job")
    .selectAll()
    .where("job_id", "=", job_id)
    .where("source", "=", source)
    .executeTakeFirst();
}

/** A job as each coordinator that knows it has it. */
export function findJobs(db: Db, jobId: string): Promise<JobRow[]> {
  return db.selectFrom("wallet_job").selectAll().where("job_id", "=", jobId).orderBy("seq").execute();
}

/** Jobs of a source with receipts still to come, after a row, in the order in which they were seen. */
export function listOpenJobs(db: Db, source: string, after: number, limit: number): Promise<JobRow[]> {
  return db
    .selectFrom("wallet_job")
    .selectAll()
    .where("source", "=", source)
    .where("complete", "=", 0)
    .where("seq", ">", after)
    .orderBy("seq")
    .limit(limit)
    .execute();
}

/** Jobs with receipts, those seen last first, below a row. */
export function listJobs(
  db: Db,
  { before, limit, failed }: { before: number | undefined; limit: number; failed: boolean },
): Promise<JobRow[]> {
  let query = db.selectFrom("wallet_job").selectAll().where("receipts", ">", 0);
  if (before !== undefined) query = query.where("seq", "<", before);
  if (failed) query = query.whereRef("verified", "<", "receipts");
  return query.orderBy("seq", "desc").limit(limit).execute();
}

/** Stores a receipt; whether it was not there yet. */
export async function insertReceipt(tx: Db, receipt: NewReceipt): Promise<boolean> {
  const result = await tx
    .insertInto("wallet_receipt")
    .values(receipt)
    .onConflict((conflict) => conflict.columns(["job_id", "source", "document_sha256"]).doNothing())
    .executeTakeFirst();
  return result.numInsertedOrUpdatedRows === 1n;
}

export async function countReceipts(db: Db, { source, job_id }: JobKey) {
  return db
    .selectFrom("wallet_receipt")
    .select((e) => [
      e.fn.countAll<number>().as("receipts"),
      e.fn.coalesce(e.fn.sum<number>("all_valid"), e.lit(0)).as("verified"),
    ])
    .where("job_id", "=", job_id)
    .where("source", "=", source)
    .executeTakeFirstOrThrow();
}

/** Receipts of a job that are not valid, oldest first. */
export function listInvalid(db: Db, { source, job_id }: JobKey, limit: number): Promise<ReceiptRow[]> {
  return db
    .selectFrom("wallet_receipt")
    .selectAll()
    .where("job_id", "=", job_id)
    .where("source", "=", source)
    .where("all_valid", "=", 0)
    .orderBy("seq")
    .limit(limit)
    .execute();
}

export async function updateJob(
  tx: Db,
  { source, job_id }: JobKey,
  change: Pick<JobRow, "cursor" | "complete" | "receipts" | "verified" | "failure_reasons" | "updated_at">,
): Promise<void> {
  await tx
    .updateTable("wallet_job")
    .set(change)
    .where("job_id", "=", job_id)
    .where("source", "=", source)
    .execute();
}

export async function closeJob(tx: Db, { source, job_id }: JobKey): Promise<void> {
  await tx
    .updateTable("wallet_job")
    .set({ complete: 1 })
    .where("job_id", "=", job_id)
    .where("source", "=", source)
    .execute();
}

/** Receipts of a job after a row, oldest first. */
export function listReceipts(db: Db, jobId: string, after: number, limit: number): Promise<ReceiptRow[]> {
  return db
    .selectFrom("wallet_receipt")
    .selectAll()
    .where("job_id", "=", jobId)
    .where("seq", ">", after)
    .orderBy("seq")
    .limit(limit)
    .execute();
}

export function findLatestReceipt(db: Db, jobId: string): Promise<ReceiptRow | undefined> {
  return db
    .selectFrom("wallet_receipt")
    .selectAll()
    .where("job_id", "=", jobId)
    .orderBy("seq", "desc")
    .limit(1)
    .executeTakeFirst();
}
