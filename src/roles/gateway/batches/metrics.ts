import type { Counter, Metrics } from "../../../kernel/metrics.ts";
import type { LineState } from "../tables.ts";

/** What batches tell of themselves. */
export class BatchMetrics {
  readonly #ended: Counter<"status">;
  readonly #lines: Counter<"state">;

  constructor(metrics: Metrics, read: { active: () => number; inFlight: () => number }) {
    this.#ended = metrics.counter("aitbc_gateway_batch_ended_total", "Batches that have ended", ["status"]);
    this.#lines = metrics.counter("aitbc_gateway_batch_lines_total", "Lines of batches that have ended", [
      "state",
    ]);
    metrics.observed("aitbc_gateway_batch_active", "Batches that have not ended", read.active);
    metrics.observed("aitbc_gateway_batch_jobs", "Jobs of batches that wait or run", read.inFlight);
  }

  ended(status: string): void {
    this.#ended.inc({ status });
  }

  lineEnded(state: LineState): void {
    this.#lines.inc({ state });
  }
}
