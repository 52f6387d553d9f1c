import type { LeaseGrant } from "./claims.ts";
import { insertSegments } from "./delivery.ts";
import type { Db } from "./handle.ts";
import { type Holder, type TakenKey, takeIdempotencyKeys } from "./idempotency.ts";
import { insertJobs, insertRuns, type NewJob, type QueuePlace } from "./jobs.ts";

/** A submission whose job waits, with the Idempotency-Key that it takes. */
type Waiting = readonly [job: NewJob, place: QueuePlace, key: TakenKey | undefined];
/** A submission whose job a miner takes at once. */
type Taken = readonly [job: NewJob, grant: LeaseGrant, key: TakenKey | undefined];

/**
 * Stores submissions: their jobs, their places in the queue and their Idempotency-Keys. Where a key is taken nothing
 * of its submission is stored, and what holds it stands in its place of the result.
 */
export async function storeSubmissions(
  tx: Db,
  submissions: readonly Waiting[],
): Promise<(Holder | undefined)[]> {
  const { holders, free } = await takeKeys(tx, submissions);
  await insertJobs(
    tx,
    free.map(([job, place]) => ({ job, place })),
  );
  return holders;
}

/** Stores one submission; what holds its key, undefined where it was free. */
export async function storeSubmission(tx: Db, ...submission: Waiting): Promise<Holder | undefined> {
  const [holder] = await storeSubmissions(tx, [submission]);
  return holder;
}

/** As `storeSubmissions`, of jobs that miners take at once. */
export async function storeTakenSubmissions(
  tx: Db,
  submissions: readonly Taken[],
): Promise<(Holder | undefined)[]> {
  const { holders, free } = await takeKeys(tx, submissions);
  await insertRuns(
    tx,
    free.map(([job, { model, token, miner_id, instance, now }]) => {
      return { ...job, model: model ?? job.model, token, miner_id, instance, started_at: now };
    }),
  );
  await insertSegments(
    tx,
    free.map(([{ job_id }, { token, miner_id, now, segment }]) => {
      return { job_id, token, miner_id, started_at: now, ...segment };
    }),
  );
  return holders;
}

/** As `storeSubmission`, of a job that a miner takes at once. */
export async function storeTakenSubmission(tx: Db, ...submission: Taken): Promise<Holder | undefined> {
  const [holder] = await storeTakenSubmissions(tx, [submission]);
  return holder;
}

async function takeKeys<Submission extends Waiting | Taken>(tx: Db, submissions: readonly Submission[]) {
  const holders = await takeIdempotencyKeys(
    tx,
    submissions.map(([, , key]) => key),
  );
  return { holders, free: submissions.filter((_, index) => holders[index] === undefined) };
}
