import { grantFirstLease, type LeaseGrant } from "./claims.ts";
import type { Db } from "./handle.ts";
import { type Holder, type TakenKey, takeIdempotencyKey } from "./idempotency.ts";
import { insertJob, insertUnqueuedJob, type NewJob, type QueuePlace } from "./jobs.ts";

/**
 * Stores a submission: its job, its place in the queue and its Idempotency-Key. Where the key is taken nothing is
 * stored, and what holds it is returned.
 */
export async function storeSubmission(
  tx: Db,
  job: NewJob,
  place: QueuePlace,
  key: TakenKey | undefined,
): Promise<Holder | undefined> {
  const held = key && (await takeIdempotencyKey(tx, key));
  if (!held) await insertJob(tx, job, place);
  return held;
}

/** As `storeSubmission`, of a job that a miner takes at once. */
export async function storeTakenSubmission(
  tx: Db,
  job: NewJob,
  grant: LeaseGrant,
  key: TakenKey | undefined,
): Promise<Holder | undefined> {
  const held = key && (await takeIdempotencyKey(tx, key));
  if (held) return held;
  await insertUnqueuedJob(tx, job);
  await grantFirstLease(tx, grant);
  return undefined;
}
