import { type Db, prepared, preparedRows } from "./handle.ts";

/** A lease as its writes name it. */
export interface Fence {
  readonly job_id: string;
  readonly token: number;
}

const selectRunning = preparedRows<{ job_id: string }>()((db, rows) =>
  db
    .selectFrom("coordinator_job")
    .select(["job_id", "token"])
    .where(
      "job_id",
      "in",
      rows.map((p) => p("job_id")),
    )
    .where("state", "=", "RUNNING"),
);

/**
 * Which leases still hold, inside the operation that writes under them. The jobs' rows are only read: they hold the
 * payloads, and writing one anew with every piece of the answer would cost as much as the request is long.
 */
export async function holdLeases(tx: Db, fences: readonly Fence[]): Promise<boolean[]> {
  const running = await selectRunning.all(tx, fences);
  const tokens = new Map(running.map(({ job_id, token }) => [job_id, token]));
  return fences.map(({ job_id, token }) => tokens.get(job_id) === token);
}

const selectLastSeq = prepared<{ job_id: string }>()((db, p) =>
  db
    .selectFrom("coordinator_chunk")
    .select("seq")
    .where("job_id", "=", p("job_id"))
    .orderBy("seq", "desc")
    .limit(1),
);

/** Number of the last stored chunk of a job; 0 before the first. */
export async function findLastSeq(db: Db, jobId: string): Promise<number> {
  return (await selectLastSeq.first(db, { job_id: jobId }))?.seq ?? 0;
}
