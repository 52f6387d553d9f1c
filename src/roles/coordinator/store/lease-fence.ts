import { type Db, prepared } from "./handle.ts";

/** A lease as its writes name it. */
export interface Fence {
  readonly job_id: string;
  readonly token: number;
}

const selectHeld = prepared<{ job_id: string; token: number }>()((db, p) =>
  db
    .selectFrom("coordinator_job")
    .select("job_id")
    .where("job_id", "=", p("job_id"))
    .where("token", "=", p("token"))
    .where("state", "=", "RUNNING"),
);

/**
 * Whether a lease still holds, inside the operation that writes under it. The job's row is only read: it holds the
 * payload, and writing it anew with every piece of the answer would cost as much as the request is long.
 */
export async function holdsLease(tx: Db, { job_id, token }: Fence): Promise<boolean> {
  return (await selectHeld.first(tx, { job_id, token })) !== undefined;
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
