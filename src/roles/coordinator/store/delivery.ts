import type { ChunkTable, ReceiptTable, SegmentTable } from "../tables.ts";
import { type Db, prepared, preparedRows } from "./handle.ts";

const insertChunkRows = preparedRows<ChunkTable>()((db, rows) =>
  db.insertInto("coordinator_chunk").values(
    rows.map((p) => ({
      job_id: p("job_id"),
      seq: p("seq"),
      token: p("token"),
      start_byte: p("start_byte"),
      text: p("text"),
    })),
  ),
);

export async function insertChunks(tx: Db, chunks: readonly ChunkTable[]): Promise<void> {
  await insertChunkRows.run(tx, chunks);
}

/** The last leases of a job, oldest first. */
export async function listLastSegments(db: Db, jobId: string, limit: number): Promise<SegmentTable[]> {
  const rows = await db
    .selectFrom("coordinator_segment")
    .selectAll()
    .where("job_id", "=", jobId)
    .orderBy("token", "desc")
    .limit(limit)
    .execute();
  return rows.reverse();
}

/** Chunks after a sequence number, in order: at most so many, the last of which begins within so many bytes. */
export function listChunks(
  db: Db,
  jobId: string,
  afterSeq: number,
  limit: { readonly rows: number; readonly bytes: number },
): Promise<ChunkTable[]> {
  return db
    .selectFrom("coordinator_chunk")
    .selectAll()
    .where("job_id", "=", jobId)
    .where("seq", ">", afterSeq)
    .where((e) =>
      e(
        "start_byte",
        "<",
        e
          .selectFrom("coordinator_chunk as first")
          .select((f) => f("first.start_byte", "+", limit.bytes).as("end"))
          .where("first.job_id", "=", jobId)
          .where("first.seq", ">", afterSeq)
          .orderBy("first.seq")
          .limit(1),
      ),
    )
    .orderBy("seq")
    .limit(limit.rows)
    .execute();
}

/** The chunk that a byte of the output lies in, and those after it, in order. */
export function listChunksFrom(db: Db, jobId: string, byte: number, limit: number): Promise<ChunkTable[]> {
  return db
    .selectFrom("coordinator_chunk")
    .selectAll()
    .where("job_id", "=", jobId)
    .where("seq", ">=", (e) =>
      e
        .selectFrom("coordinator_chunk as earlier")
        .select((f) => f.fn.coalesce(f.fn.max("earlier.seq"), f.lit(0)).as("seq"))
        .where("earlier.job_id", "=", jobId)
        .where("earlier.start_byte", "<=", byte),
    )
    .orderBy("seq")
    .limit(limit)
    .execute();
}

/** The job's delivered text, all or only what was delivered before a lease. */
export async function readText(db: Db, jobId: string, beforeToken?: number): Promise<string> {
  let query = db.selectFrom("coordinator_chunk").select("text").where("job_id", "=", jobId);
  if (beforeToken !== undefined) query = query.where("token", "<", beforeToken);
  const rows = await query.orderBy("seq").execute();
  return rows.map((row) => row.text).join("");
}

/** The text that one lease has stored. */
export async function readSegmentText(db: Db, jobId: string, token: number): Promise<string> {
  const rows = await db
    .selectFrom("coordinator_chunk")
    .select("text")
    .where("job_id", "=", jobId)
    .where("token", "=", token)
    .orderBy("seq")
    .execute();
  return rows.map((row) => row.text).join("");
}

export type NewSegment = Pick<
  SegmentTable,
  "job_id" | "token" | "miner_id" | "start_byte" | "started_at" | "terms" | "decision"
>;

const insertSegmentRows = preparedRows<NewSegment>()((db, rows) =>
  db.insertInto("coordinator_segment").values(
    rows.map((p) => ({
      job_id: p("job_id"),
      token: p("token"),
      miner_id: p("miner_id"),
      start_byte: p("start_byte"),
      started_at: p("started_at"),
      terms: p("terms"),
      decision: p("decision"),
    })),
  ),
);

export async function insertSegments(tx: Db, segments: readonly NewSegment[]): Promise<void> {
  await insertSegmentRows.run(tx, segments);
}

const updateSegmentProgress = prepared<{ job_id: string; token: number; progress: string }>()((db, p) =>
  db
    .updateTable("coordinator_segment")
    .set({ progress: p("progress") })
    .where("job_id", "=", p("job_id"))
    .where("token", "=", p("token")),
);

/** Stores the miner's last signed progress. The caller has fenced the lease in the same operation. */
export async function storeProgress(
  tx: Db,
  segment: { job_id: string; token: number; progress: string },
): Promise<void> {
  await updateSegmentProgress.run(tx, segment);
}

export type SegmentEnd = Pick<
  SegmentTable,
  "job_id" | "token" | "end_byte" | "ended_at" | "outcome" | "receipt_id"
>;

const updateSegmentEnded = prepared<SegmentEnd>()((db, p) =>
  db
    .updateTable("coordinator_segment")
    .set({
      end_byte: p("end_byte"),
      ended_at: p("ended_at"),
      outcome: p("outcome"),
      receipt_id: p("receipt_id"),
    })
    .where("job_id", "=", p("job_id"))
    .where("token", "=", p("token")),
);

export async function markSegmentEnded(tx: Db, end: SegmentEnd): Promise<void> {
  await updateSegmentEnded.run(tx, end);
}

export function findSegment(db: Db, jobId: string, token: number): Promise<SegmentTable | undefined> {
  return db
    .selectFrom("coordinator_segment")
    .selectAll()
    .where("job_id", "=", jobId)
    .where("token", "=", token)
    .executeTakeFirst();
}

const insertReceiptRows = preparedRows<ReceiptTable>()((db, rows) =>
  db.insertInto("coordinator_receipt").values(
    rows.map((p) => ({
      receipt_id: p("receipt_id"),
      job_id: p("job_id"),
      token: p("token"),
      hash: p("hash"),
      start_byte: p("start_byte"),
      end_byte: p("end_byte"),
      units: p("units"),
      price_uait: p("price_uait"),
      document: p("document"),
      issued_at: p("issued_at"),
    })),
  ),
);

export async function insertReceipts(tx: Db, receipts: readonly ReceiptTable[]): Promise<void> {
  await insertReceiptRows.run(tx, receipts);
}

/** Receipts of a job after a token, oldest first. */
export function listReceipts(
  db: Db,
  jobId: string,
  afterToken: number,
  limit: number,
): Promise<ReceiptTable[]> {
  return db
    .selectFrom("coordinator_receipt")
    .selectAll()
    .where("job_id", "=", jobId)
    .where("token", ">", afterToken)
    .orderBy("token")
    .limit(limit)
    .execute();
}

const selectReceipt = prepared<{ job_id: string; token: number }>()((db, p) =>
  db
    .selectFrom("coordinator_receipt")
    .selectAll()
    .where("job_id", "=", p("job_id"))
    .where("token", "=", p("token")),
);

const selectLastReceipt = prepared<{ job_id: string }>()((db, p) =>
  db
    .selectFrom("coordinator_receipt")
    .selectAll()
    .where("job_id", "=", p("job_id"))
    .orderBy("token", "desc")
    .limit(1),
);

/** The receipt of one segment, or the job's last one. */
export function findReceipt(db: Db, jobId: string, token?: number): Promise<ReceiptTable | undefined> {
  if (token === undefined) return selectLastReceipt.first(db, { job_id: jobId });
  return selectReceipt.first(db, { job_id: jobId, token });
}
