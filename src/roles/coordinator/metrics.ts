import type { Counter, Histogram, Metrics } from "../../kernel/metrics.ts";

/** Upper bounds of how many times longer a wait was than its estimate. */
const RATIO_BUCKETS = [0.1, 0.25, 0.5, 0.67, 0.8, 1, 1.25, 1.5, 2, 4, 10];
/** An estimate counts as right up to this factor, in both directions. */
const GOOD_FACTOR = 2;

/** How good the queue's promises and its choices are. */
export class QueueMetrics {
  readonly #ratio: Histogram;
  readonly #estimates: Counter<"outcome">;
  readonly #conversations: Counter<"outcome">;
  readonly #refused: Counter;

  constructor(metrics: Metrics) {
    this.#ratio = metrics.histogram(
      "aitbc_coordinator_eta_error_ratio",
      "Waits divided by their first estimate (p50)",
      RATIO_BUCKETS,
    );
    this.#estimates = metrics.counter(
      "aitbc_coordinator_eta_estimates_total",
      "Waits within a factor of two of their first estimate, shorter, and longer",
      ["outcome"],
    );
    this.#conversations = metrics.counter(
      "aitbc_coordinator_prefix_affinity_total",
      "Later turns of conversations that went to the miner of an earlier one (hit), and to others (miss)",
      ["outcome"],
    );
    this.#refused = metrics.counter(
      "aitbc_coordinator_deadlines_refused_total",
      "Submissions refused since their deadline could not be met",
    );
  }

  /** A wait is over that took so many times as long as was estimated. */
  realised(ratio: number): void {
    this.#ratio.observe(ratio);
    const outcome = ratio > GOOD_FACTOR ? "longer" : ratio < 1 / GOOD_FACTOR ? "shorter" : "within";
    this.#estimates.inc({ outcome });
  }

  /** A later turn of a conversation goes to a miner. */
  conversation(isHit: boolean): void {
    this.#conversations.inc({ outcome: isHit ? "hit" : "miss" });
  }

  refused(): void {
    this.#refused.inc();
  }
}

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
