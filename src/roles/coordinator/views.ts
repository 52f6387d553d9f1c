import { isTerminal } from "../../domain/job/state.ts";
import type { EndEvent } from "../../wire/job-events.ts";
import type { JobView, QueueView } from "../../wire/jobs.ts";
import { formatTime } from "../../wire/scalars.ts";
import type { JobTable } from "./tables.ts";

const formatNullable = (time: number | null): string | null => (time === null ? null : formatTime(time));

/** Writes a job as clients see it. `queue` belongs to jobs that wait. */
export function toJobView(job: JobTable, queue?: QueueView): JobView {
  return {
    job_id: job.job_id,
    state: job.state,
    kind: job.kind,
    model: job.model,
    priority: job.priority,
    assigned_miner_id: job.miner_id,
    attempts: job.attempts,
    max_attempts: job.max_attempts,
    requested_at: formatTime(job.requested_at),
    expires_at: formatTime(job.expires_at),
    started_at: formatNullable(job.started_at),
    completed_at: formatNullable(job.completed_at),
    delivered_bytes: job.delivered_bytes,
    units: job.settled_units,
    price_uait: String(job.price_uait),
    error: job.error,
    ...(queue && { queue }),
  };
}

/** Writes the last event of a job's stream. */
export function toEndEvent(job: JobTable, receiptId: string | null): EndEvent {
  return {
    state: job.state,
    error: job.error,
    finish_reason: job.finish_reason,
    delivered_bytes: job.delivered_bytes,
    receipt_id: receiptId,
  };
}

/** Whether the job ended before its answer did, though it delivered text. */
export function isPartial(job: JobTable): boolean {
  return isTerminal(job.state) && job.state !== "COMPLETED" && job.delivered_bytes > 0;
}
