import type { Clock } from "../../kernel/clock.ts";
import type { Log } from "../../kernel/log.ts";
import type { Artifacts } from "./artifacts/artifacts.ts";
import type { Dispatcher } from "./dispatcher.ts";
import type { IdempotencyKeys } from "./idempotency-keys.ts";
import type { Leases } from "./leases.ts";
import {
  HOUSEKEEPING_INTERVAL_MS,
  IDEMPOTENCY_KEPT_MS,
  RECHECK_INTERVAL_MS,
  SWEEP_BATCH,
  SWEEP_INTERVAL_MS,
} from "./limits.ts";
import type { Store } from "./ports.ts";
import type { Requirements } from "./requirements.ts";
import type { Settlement } from "./settlement.ts";
import { endQueued } from "./store/jobs.ts";
import { listDue, markReady } from "./store/queue.ts";
import type { QueueTable } from "./tables.ts";

interface SweeperDeps {
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Log;
  readonly leases: Leases;
  readonly settlement: Settlement;
  readonly dispatcher: Dispatcher;
  readonly keys: IdempotencyKeys;
  readonly requirements: Requirements;
  readonly artifacts: Artifacts;
  /** Hears of a job that ended without having run. */
  readonly onExpired: (place: QueueTable) => void;
}

/** What time does: jobs expire, back-offs and leases end, old entries go. */
export class Sweeper {
  readonly #deps: SweeperDeps;
  readonly #timers: NodeJS.Timeout[] = [];
  #sweeping = false;

  constructor(deps: SweeperDeps) {
    this.#deps = deps;
  }

  start(): void {
    this.#every(SWEEP_INTERVAL_MS, () => this.sweep());
    this.#every(RECHECK_INTERVAL_MS, async () => this.#deps.dispatcher.nudgeAll());
    this.#every(HOUSEKEEPING_INTERVAL_MS, () => this.tidy());
  }

  stop(): void {
    for (const timer of this.#timers.splice(0)) clearInterval(timer);
  }

  /** Handles what is due: queue entries and leases. */
  async sweep(): Promise<void> {
    if (this.#sweeping) return;
    this.#sweeping = true;
    try {
      await this.#sweepLeases();
      await this.#sweepQueue();
    } finally {
      this.#sweeping = false;
    }
  }

  /** Removes what nobody needs any more. */
  async tidy(): Promise<void> {
    const { clock, keys, requirements, artifacts } = this.#deps;
    await keys.tidy(clock.now() - IDEMPOTENCY_KEPT_MS, clock.monotonic());
    await requirements.prune();
    await artifacts.tidy();
  }

  async #sweepLeases(): Promise<void> {
    const { clock, leases, settlement } = this.#deps;
    const now = clock.monotonic();
    for (const lease of leases.values()) {
      const { holder, job } = lease;
      if (now >= lease.deadlineAt) {
        const seconds = job.max_run_ms / 1000;
        const error = `TIMEOUT: the job ran longer than ${seconds} s`;
        await settlement.fail(lease, { outcome: "failed", error, retry: false });
        holder?.revoke(lease, "cancel", "TIMEOUT", "the job's time is used up");
      } else if (now >= lease.expiresAt) {
        const error = "LEASE_LOST: the miner gave no sign of life";
        await settlement.fail(lease, { outcome: "lease_lost", error, retry: true });
        holder?.revoke(lease, "fenced", "STALE_LEASE", "the lease ran out without a sign of life");
      }
    }
  }

  async #sweepQueue(): Promise<void> {
    const { store, clock, dispatcher, onExpired } = this.#deps;
    const now = clock.now();
    const due = await listDue(store.db, now, SWEEP_BATCH);
    for (const { job_id, requirement_id, ready } of due) {
      if (ready === 0) {
        await store.operation(markReady, job_id);
        dispatcher.nudgeClass(requirement_id);
        continue;
      }
      const end = {
        job_id,
        state: "EXPIRED",
        completed_at: now,
        error: "JOB_EXPIRED: no miner took it in time",
      } as const;
      const place = await store.operation(endQueued, end);
      if (place) onExpired(place);
    }
  }

  #every(ms: number, work: () => Promise<void>): void {
    const timer = setInterval(() => {
      work().catch((error: unknown) => this.#deps.log.error({ err: error }, "sweep failed"));
    }, ms);
    timer.unref();
    this.#timers.push(timer);
  }
}
