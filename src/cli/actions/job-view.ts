import { formatAit } from "../../domain/pricing/amount.ts";
import type { JobView, QueueView } from "../../wire/jobs.ts";
import { formatRecord } from "../format.ts";

const MS_PER_SECOND = 1000;
const MS_PER_MINUTE = 60_000;
const MS_PER_HOUR = 3_600_000;

/** Writes a wait for people, rounded up: nobody is told to expect nothing. */
export function formatWait(ms: number): string {
  if (ms >= MS_PER_HOUR) return `${(ms / MS_PER_HOUR).toFixed(1)} h`;
  if (ms >= 2 * MS_PER_MINUTE) return `${Math.ceil(ms / MS_PER_MINUTE)} min`;
  return `${Math.max(1, Math.ceil(ms / MS_PER_SECOND))} s`;
}

/** How long a job will wait; undefined where nobody can tell. */
function formatEta({ eta_p50_ms: half, eta_p90_ms: most }: QueueView): string | undefined {
  if (half === null) return undefined;
  const [likely, longest] = [formatWait(half), most === null ? undefined : formatWait(most)];
  return longest === undefined || longest === likely
    ? `in about ${likely}`
    : `in about ${likely}, nine of ten within ${longest}`;
}

/** Says why a job waits, how many stand before it, and how long it will. */
export function formatQueue(queue: QueueView): string {
  const position = `position ${queue.position}${queue.position_is_lower_bound ? " or later" : ""}`;
  return [position, formatEta(queue), queue.reason].filter((part) => part !== undefined).join(" · ");
}

/** Lays a job out for people. */
export function formatJob(view: JobView): string {
  return formatRecord([
    ["job", view.job_id],
    ["state", view.state],
    ["waiting", view.queue && formatQueue(view.queue)],
    ["error", view.error],
    ["model", view.model],
    ["miner", view.assigned_miner_id],
    ["attempts", `${view.attempts} of ${view.max_attempts}`],
    ["requested", view.requested_at],
    ["started", view.started_at],
    ["ended", view.completed_at],
    ["delivered", `${view.delivered_bytes} bytes`],
    ["price", `${formatAit(BigInt(view.price_uait))} for ${view.units} units`],
  ]);
}
