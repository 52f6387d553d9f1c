import type { Counter, Metrics } from "../../kernel/metrics.ts";

/** The coordinator's metrics. */
export class CoordinatorMetrics {
  readonly submitted: Counter;
  readonly receipts: Counter;
  readonly deliveredBytes: Counter;
  readonly #ended: Counter<"state">;

  constructor(
    metrics: Metrics,
    read: { queued: () => number; running: () => number; readers: () => number; miners: () => number },
  ) {
    this.submitted = metrics.counter("aitbc_coordinator_jobs_submitted_total", "Jobs taken in");
    this.receipts = metrics.counter("aitbc_coordinator_receipts_total", "Receipts issued");
    this.deliveredBytes = metrics.counter(
      "aitbc_coordinator_delivered_bytes_total",
      "Bytes of text accepted from miners",
    );
    this.#ended = metrics.counter("aitbc_coordinator_jobs_ended_total", "Jobs that reached a final state", [
      "state",
    ]);
    metrics.observed("aitbc_coordinator_jobs_queued", "Jobs that wait", read.queued);
    metrics.observed("aitbc_coordinator_jobs_running", "Jobs that run", read.running);
    metrics.observed("aitbc_coordinator_stream_readers", "Readers of job streams", read.readers);
    metrics.observed("aitbc_coordinator_miners_online", "Miners with an open session", read.miners);
  }

  ended(state: string): void {
    this.#ended.inc({ state });
  }
}
