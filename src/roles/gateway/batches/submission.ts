import { sha256Hex } from "../../../crypto/hash.ts";
import type { Principal } from "../../../wire/access.ts";
import type { JobView } from "../../../wire/jobs.ts";
import { DEFAULT_ATTEMPTS, DEFAULT_RUN_SECONDS, MAX_TTL_SECONDS } from "../../../wire/limits.ts";
import type { BatchPort } from "../ports.ts";
import type { BatchTable } from "../tables.ts";
import { readCall } from "./request.ts";

/** The lowest priority: whatever else waits goes first. */
const BATCH_PRIORITY = 0;
const MS_PER_SECOND = 1000;

/**
 * Makes a line a job, once: its number in its batch is the job's Idempotency-Key, which is taken in the transaction
 * that stores the job. A line that became a job before gives that job again.
 * @throws AppError what the call's own route would answer with
 */
export async function submitLine(
  coordinator: BatchPort,
  owner: Principal,
  { batch_id, endpoint, expires_at }: Pick<BatchTable, "batch_id" | "endpoint" | "expires_at">,
  line: { readonly number: number; readonly bytes: Uint8Array },
  now: number,
): Promise<{ readonly job: JobView; readonly replayed: boolean }> {
  const { payload, images } = readCall(line.bytes, endpoint).toJob(coordinator);
  for (const { mediaType, bytes } of images) await coordinator.putImage(owner, mediaType, bytes);
  const ttl = Math.ceil((expires_at - now) / MS_PER_SECOND);
  return coordinator.submit(
    owner,
    {
      payload,
      // It waits no longer than its batch.
      ttl_seconds: Math.max(1, Math.min(ttl, MAX_TTL_SECONDS)),
      max_run_seconds: DEFAULT_RUN_SECONDS,
      max_attempts: DEFAULT_ATTEMPTS,
      priority: BATCH_PRIORITY,
    },
    {
      key: `${batch_id}:${line.number}`,
      // No route has this path, so that no caller's own key can be the same.
      method: "BATCH",
      path: endpoint,
      bodySha256: sha256Hex(line.bytes),
    },
  );
}
