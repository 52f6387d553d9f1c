import type { JobTable, QueueTable } from "../tables.ts";
import { insertSegments, type NewSegment } from "./delivery.ts";
import { type Db, prepared } from "./handle.ts";
import { dequeue, setModel } from "./jobs.ts";

/** A lease to be granted, worked out from a job as it was read. */
export interface LeaseGrant extends Pick<JobTable, "job_id"> {
  /** The fence of the lease: one more than the job had when it was read. */
  readonly token: number;
  readonly miner_id: string;
  readonly instance: string;
  /** Unix ms. */
  readonly now: number;
  /** The model of a job that named none until now; null otherwise. */
  readonly model: string | null;
  readonly segment: Pick<NewSegment, "start_byte" | "terms" | "decision">;
}

/** What the rows of a granted lease's job say that another change may have written since it was read. */
export interface Granted {
  /** Where the job stood in the queue. */
  readonly place: QueueTable;
  readonly priority: number;
}

const updateClaimed = prepared<Pick<LeaseGrant, "job_id" | "token" | "miner_id" | "instance" | "now">>()(
  (db, p) =>
    db
      .updateTable("coordinator_job")
      .set((e) => ({
        state: "RUNNING",
        token: p("token"),
        attempts: e("attempts", "+", 1),
        miner_id: p("miner_id"),
        instance: p("instance"),
        started_at: p("now"),
      }))
      .where("job_id", "=", p("job_id"))
      .where((e) => e(e("token", "+", 1), "=", p("token")))
      .where("state", "=", "QUEUED")
      .returning("priority"),
);

/**
 * Grants the next lease on each of some jobs: its token rises, it leaves the queue, its segment begins with the terms of
 * the offer. Undefined where a job does not wait any more, or has run since it was read.
 */
export async function grantLeases(
  tx: Db,
  grants: readonly (readonly [LeaseGrant])[],
): Promise<(Granted | undefined)[]> {
  // Of the jobs whose lease is granted.
  const priorities: (number | undefined)[] = [];
  for (const [grant] of grants) priorities.push((await updateClaimed.first(tx, grant))?.priority);
  const granted = grants.flatMap(([grant], index) => (priorities[index] === undefined ? [] : [grant]));
  const places = new Map((await dequeue(tx, granted)).map((place) => [place.job_id, place]));
  for (const { job_id, model } of granted) if (model !== null) await setModel(tx, { job_id, model });
  await insertSegments(
    tx,
    granted.map(({ job_id, token, miner_id, now, segment }) => {
      return { job_id, token, miner_id, started_at: now, ...segment };
    }),
  );
  return grants.map(([{ job_id }], index) => {
    const priority = priorities[index];
    if (priority === undefined) return undefined;
    const place = places.get(job_id);
    if (!place) throw new Error(`job ${job_id} waits outside the queue`);
    return { place, priority };
  });
}

/** Grants the next lease on one job. */
export async function grantLease(tx: Db, grant: LeaseGrant): Promise<Granted | undefined> {
  return (await grantLeases(tx, [[grant]]))[0];
}
