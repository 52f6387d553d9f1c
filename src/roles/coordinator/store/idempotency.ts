import type { IdempotencyTable, JobTable } from "../tables.ts";
import { type Db, prepared } from "./handle.ts";
import { findJob } from "./jobs.ts";

/** A key, and the submission that took it. */
export type TakenKey = Omit<IdempotencyTable, "seq">;

/** What is known of the submission that took a key. */
export interface Holder {
  readonly body_sha256: string;
  /** Its priority, which its job may have no more. */
  readonly priority: number;
  /** Its job as it stands now. */
  readonly job: JobTable;
}

const insertRow = prepared<TakenKey>()((db, p) =>
  db
    .insertInto("coordinator_idempotency")
    .values({
      slot: p("slot"),
      body_sha256: p("body_sha256"),
      job_id: p("job_id"),
      priority: p("priority"),
      created_at: p("created_at"),
    })
    .onConflict((conflict) => conflict.column("slot").doNothing()),
);

const selectRow = prepared<Pick<IdempotencyTable, "slot">>()((db, p) =>
  db
    .selectFrom("coordinator_idempotency")
    .select(["job_id", "body_sha256", "priority"])
    .where("slot", "=", p("slot")),
);

/** Takes the key for this submission. Returns undefined when it was free, else what holds it. */
export async function takeIdempotencyKey(tx: Db, key: TakenKey): Promise<Holder | undefined> {
  if ((await insertRow.run(tx, key)) === 1) return undefined;
  const held = await selectRow.first(tx, key);
  const job = held && (await findJob(tx, held.job_id));
  if (!job) throw new Error("an Idempotency-Key is taken by a job that does not exist");
  return { ...held, job };
}

/** Whether a submission holds the key. */
export async function isKeyTaken(db: Db, slot: Uint8Array): Promise<boolean> {
  return (await selectRow.first(db, { slot })) !== undefined;
}

/** Forgets keys older than `before` (Unix ms), at most `limit` at once; how many. */
export async function forgetIdempotencyKeys(tx: Db, before: number, limit: number): Promise<number> {
  // Keys are stored in the order of their time, so the oldest lie at the beginning.
  const old = await tx
    .selectFrom("coordinator_idempotency")
    .select(["seq", "created_at"])
    .orderBy("seq")
    .limit(limit)
    .execute();
  const last = old.findLast((row) => row.created_at < before);
  if (!last) return 0;
  const result = await tx
    .deleteFrom("coordinator_idempotency")
    .where("seq", "<=", last.seq)
    .where("created_at", "<", before)
    .executeTakeFirst();
  return Number(result.numDeletedRows);
}
