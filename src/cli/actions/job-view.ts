import type { JobView, QueueView } from "../../wire/jobs.ts";
import { formatRecord } from "../format.ts";

/** Base units of one AIT. */
const UAIT_PER_AIT = 1_000_000n;
const DECIMALS = 6;

/** Writes an amount of µAIT as AIT, without needless zeros. */
export function formatAit(uait: bigint): string {
  const fraction = (uait % UAIT_PER_AIT).toString().padStart(DECIMALS, "0").replace(/0+$/, "");
  return `${uait / UAIT_PER_AIT}${fraction === "" ? "" : `.${fraction}`} AIT`;
}

/** Says why a job waits, and how many stand before it. */
export function formatQueue({ position, position_is_lower_bound, reason }: QueueView): string {
  return `position ${position}${position_is_lower_bound ? " or later" : ""} · ${reason}`;
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
