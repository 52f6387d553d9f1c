import { AppError } from "../../kernel/errors.ts";

/** Wait before the second attempt, in ms: long enough for another miner to be free. */
const BACKOFF_BASE_MS = 500;
/** Longest wait, in ms: a job is not forgotten. */
export const BACKOFF_CAP_MS = 30_000;
const FACTOR = 2;
const PPM = 1_000_000;

/**
 * Wait in whole ms before a job is offered again after its `attempt`th attempt (from 1) was lost. It doubles
 * up to the cap; half of it is jitter, so that jobs lost together do not come back together.
 * `jitterPpm` is chance as an argument: a whole number in [0, 1,000,000).
 */
export function backoffMs(attempt: number, jitterPpm: number): number {
  if (!Number.isSafeInteger(attempt) || attempt < 1) {
    throw new AppError("INVALID_ARGUMENT", "attempt: must be a whole number ≥ 1");
  }
  if (!Number.isSafeInteger(jitterPpm) || jitterPpm < 0 || jitterPpm >= PPM) {
    throw new AppError("INVALID_ARGUMENT", "jitterPpm: must be a whole number in [0, 1,000,000)");
  }
  let full = BACKOFF_BASE_MS;
  for (let n = 1; n < attempt && full < BACKOFF_CAP_MS; n++) full *= FACTOR;
  const half = Math.floor(Math.min(full, BACKOFF_CAP_MS) / 2);
  return half + Math.floor((half * jitterPpm) / PPM);
}
