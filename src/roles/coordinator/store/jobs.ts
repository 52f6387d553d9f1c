import { sql } from "kysely";
import { FRONT_KEY } from "../../../domain/job/fair.ts";
import type { JobTable, QueueTable } from "../tables.ts";
import { type Db, prepared, preparedRows } from "./handle.ts";
import { addToDays } from "./totals.ts";

/** A job as it is when submitted; the rest of the row has its first value. */
export type NewJob = Pick<
  JobTable,
  | "job_id"
  | "client_id"
  | "kind"
  | "model"
  | "payload"
  | "constraints"
  | "requirement_id"
  | "priority"
  | "max_attempts"
  | "max_run_ms"
  | "requested_at"
  | "expires_at"
  | "unit_price"
>;

/** Stands for the value of a row's member in a prepared query. */
type Parameter<Row> = <Name extends keyof Row & string>(name: Name) => Row[Name];

const submitted = (p: Parameter<NewJob>) => ({
  job_id: p("job_id"),
  client_id: p("client_id"),
  kind: p("kind"),
  model: p("model"),
  payload: p("payload"),
  constraints: p("constraints"),
  requirement_id: p("requirement_id"),
  priority: p("priority"),
  max_attempts: p("max_attempts"),
  max_run_ms: p("max_run_ms"),
  requested_at: p("requested_at"),
  expires_at: p("expires_at"),
  unit_price: p("unit_price"),
});

// First values are written into the statements: a bound value costs time with every submission.
const insertQueuedRows = preparedRows<NewJob>()((db, rows) =>
  db.insertInto("coordinator_job").values((e) =>
    rows.map((p) => ({
      ...submitted(p),
      state: sql.lit("QUEUED"),
      token: e.lit(0),
      attempts: e.lit(0),
      run_ms: e.lit(0),
      delivered_bytes: e.lit(0),
      last_seq: e.lit(0),
      settled_units: e.lit(0),
      price_uait: sql<bigint>`0`,
    })),
  ),
);

/** A job as it is when it runs as soon as it is submitted. */
export type NewRun = NewJob & {
  readonly token: number;
  readonly miner_id: string;
  readonly instance: string;
  readonly started_at: number;
};

const insertRunningRows = preparedRows<NewRun>()((db, rows) =>
  db.insertInto("coordinator_job").values((e) =>
    rows.map((p) => ({
      ...submitted(p),
      state: sql.lit("RUNNING"),
      token: p("token"),
      attempts: e.lit(1),
      miner_id: p("miner_id"),
      instance: p("instance"),
      started_at: p("started_at"),
      run_ms: e.lit(0),
      delivered_bytes: e.lit(0),
      last_seq: e.lit(0),
      settled_units: e.lit(0),
      price_uait: sql<bigint>`0`,
    })),
  ),
);

/** Where a job stands in the queue. */
export type QueuePlace = Pick<QueueTable, "client_number" | "order_key">;

const insertQueueRows = preparedRows<QueueTable>()((db, rows) =>
  db.insertInto("coordinator_queue").values(
    rows.map((p) => ({
      job_id: p("job_id"),
      requirement_id: p("requirement_id"),
      priority: p("priority"),
      ready: p("ready"),
      wake_at: p("wake_at"),
      client_number: p("client_number"),
      order_key: p("order_key"),
    })),
  ),
);

/** Stores jobs and puts them into the queue. */
export async function insertJobs(
  tx: Db,
  jobs: readonly { readonly job: NewJob; readonly place: QueuePlace }[],
): Promise<void> {
  await insertQueuedRows.run(
    tx,
    jobs.map(({ job }) => job),
  );
  await insertQueueRows.run(
    tx,
    jobs.map(({ job, place }) => ({
      job_id: job.job_id,
      requirement_id: job.requirement_id,
      priority: job.priority,
      ready: 1,
      wake_at: job.expires_at,
      client_number: place.client_number,
      order_key: place.order_key,
    })),
  );
}

/** Stores jobs that run at once. The caller stores their segments in the same operation. */
export async function insertRuns(tx: Db, runs: readonly NewRun[]): Promise<void> {
  await insertRunningRows.run(tx, runs);
}

const updateRequirement = prepared<Pick<JobTable, "job_id" | "requirement_id">>()((db, p) =>
  db
    .updateTable("coordinator_job")
    .set({ requirement_id: p("requirement_id") })
    .where("job_id", "=", p("job_id")),
);

/**
 * Puts a job back into the queue: ready at once, or from `wakeAt` (Unix ms) on. It expires no more. It may have
 * another class than before.
 */
export async function enqueueAgain(
  tx: Db,
  job: Pick<JobTable, "job_id" | "requirement_id" | "priority">,
  place: QueuePlace & Pick<QueueTable, "requirement_id">,
  wakeAt: number | null,
): Promise<void> {
  const { job_id, priority } = job;
  const { requirement_id, client_number, order_key } = place;
  if (requirement_id !== job.requirement_id) await updateRequirement.run(tx, { job_id, requirement_id });
  const ready = wakeAt === null ? 1 : 0;
  await insertQueueRows.run(tx, [
    { job_id, requirement_id, priority, ready, wake_at: wakeAt, client_number, order_key },
  ]);
}

const deleteQueueRows = preparedRows<{ job_id: string }>()((db, rows) =>
  db
    .deleteFrom("coordinator_queue")
    .where(
      "job_id",
      "in",
      rows.map((p) => p("job_id")),
    )
    .returningAll(),
);

/** Takes jobs out of the queue: the places of those that were there, in no order. */
export function dequeue(tx: Db, jobs: readonly { readonly job_id: string }[]): Promise<QueueTable[]> {
  return deleteQueueRows.all(tx, jobs);
}

const selectJob = prepared<{ job_id: string }>()((db, p) =>
  db.selectFrom("coordinator_job").selectAll().where("job_id", "=", p("job_id")),
);

export function findJob(db: Db, jobId: string): Promise<JobTable | undefined> {
  return selectJob.first(db, { job_id: jobId });
}

const updateModel = prepared<{ job_id: string; model: string }>()((db, p) =>
  db
    .updateTable("coordinator_job")
    .set({ model: p("model") })
    .where("job_id", "=", p("job_id"))
    .where("model", "is", null),
);

/** Names the model of a job that names none; it keeps it: another model could not continue its text. */
export async function setModel(tx: Db, job: { job_id: string; model: string }): Promise<void> {
  await updateModel.run(tx, job);
}

/** What the end of a lease writes into the job's row. */
export type LeaseEnd = Pick<
  JobTable,
  | "job_id"
  | "token"
  | "state"
  | "delivered_bytes"
  | "last_seq"
  | "settled_units"
  | "price_uait"
  | "completed_at"
  | "finish_reason"
  | "usage"
  | "error"
> & { readonly ran_ms: number };

const updateLeaseEnded = prepared<LeaseEnd>()((db, p) =>
  db
    .updateTable("coordinator_job")
    .set((e) => ({
      state: p("state"),
      instance: null,
      run_ms: e("run_ms", "+", p("ran_ms")),
      delivered_bytes: p("delivered_bytes"),
      last_seq: p("last_seq"),
      settled_units: p("settled_units"),
      price_uait: p("price_uait"),
      completed_at: p("completed_at"),
      finish_reason: p("finish_reason"),
      usage: p("usage"),
      error: p("error"),
    }))
    .where("job_id", "=", p("job_id"))
    .where("token", "=", p("token"))
    .where("state", "=", "RUNNING"),
);

/** Ends a lease, fenced by its token; whether it still held. */
export async function markLeaseEnded(tx: Db, end: LeaseEnd): Promise<boolean> {
  return (await updateLeaseEnded.run(tx, end)) === 1;
}

const updateAttempts = prepared<{ job_id: string }>()((db, p) =>
  db
    .updateTable("coordinator_job")
    .set((e) => ({ attempts: e("attempts", "-", 1) }))
    .where("job_id", "=", p("job_id")),
);

/** Takes back the last attempt of a job. The caller has fenced and ended its lease in the same operation. */
export async function takeBackAttempt(tx: Db, jobId: string): Promise<void> {
  await updateAttempts.run(tx, { job_id: jobId });
}

const updateQueuedEnded = prepared<Pick<JobTable, "job_id" | "state" | "completed_at" | "error">>()((db, p) =>
  db
    .updateTable("coordinator_job")
    .set({ state: p("state"), completed_at: p("completed_at"), error: p("error") })
    .where("job_id", "=", p("job_id"))
    .where("state", "=", "QUEUED"),
);

/** Ends a job that waits; its place in the queue, undefined when it did not wait any more. */
export async function endQueued(
  tx: Db,
  end: Pick<JobTable, "job_id" | "state" | "completed_at" | "error">,
): Promise<QueueTable | undefined> {
  if ((await updateQueuedEnded.run(tx, end)) !== 1) return undefined;
  await addToDays(tx, [{ at: end.completed_at ?? 0, state: end.state, lease: undefined }]);
  return (await dequeue(tx, [end]))[0];
}

/** Jobs whose lease was granted by another process of this coordinator: after a restart, by the one before. */
export function listOrphanedRuns(db: Db, instance: string): Promise<JobTable[]> {
  return db
    .selectFrom("coordinator_job")
    .selectAll()
    .where("instance", "is not", null)
    .where("instance", "!=", instance)
    .execute();
}

const updateInstance = prepared<{ job_id: string; instance: string }>()((db, p) =>
  db
    .updateTable("coordinator_job")
    .set({ instance: p("instance") })
    .where("job_id", "=", p("job_id"))
    .where("instance", "is not", null),
);

/** Takes over running jobs of an earlier process. */
export async function adoptRuns(tx: Db, jobIds: readonly string[], instance: string): Promise<void> {
  for (const job_id of jobIds) await updateInstance.run(tx, { job_id, instance });
}

/** Number of jobs that wait. */
export async function countQueued(db: Db): Promise<number> {
  const row = await db
    .selectFrom("coordinator_queue")
    .select((e) => e.fn.countAll<number>().as("count"))
    .executeTakeFirstOrThrow();
  return row.count;
}

/** Raises the priority of a job that waits and puts it before all others of its class; whether it waited. */
export async function raisePriority(tx: Db, jobId: string, priority: number): Promise<boolean> {
  const result = await tx
    .updateTable("coordinator_queue")
    // Its client is charged for it as it came.
    .set({ order_key: FRONT_KEY })
    .where("job_id", "=", jobId)
    .executeTakeFirst();
  if (result.numUpdatedRows !== 1n) return false;
  await tx.updateTable("coordinator_job").set({ priority }).where("job_id", "=", jobId).execute();
  return true;
}
