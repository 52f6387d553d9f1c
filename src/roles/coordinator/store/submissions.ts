import type { Db } from "./handle.ts";
import { type Holder, type TakenKey, takeIdempotencyKey } from "./idempotency.ts";
import { insertJob, type NewJob, type QueuePlace } from "./jobs.ts";

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
