import type { Clock } from "../../kernel/clock.ts";
import type { MinerLink } from "./miner-link.ts";
import { ModelBreaker } from "./model-breaker.ts";

/** Attempts that fail one after the other before a miner is left out: fewer are bad luck, more cost clients time. */
export const FAILURES_TO_QUARANTINE = 5;
/** The first quarantine, in ms. Each further one without a finished job in between lasts twice as long. */
export const QUARANTINE_BASE_MS = 30_000;
/** The longest one, in ms: a miner that was mended gets work again within the hour. */
export const QUARANTINE_CAP_MS = 3600_000;
/** Leases that a miner loses within this time are one failure, in ms: all of them end when it goes. */
export const LOST_AT_ONCE_MS = 5_000;
/** Miners whose failures are remembered; past it those whose quarantine is over longest are forgotten. */
const MAX_RECORDS = 10_000;

/** Why a miner that its owner drained gets no work. */
const DRAINED = "its owner keeps it from new jobs";

export const MINER_STATES = ["online", "draining", "offline", "quarantined"] as const;
export type MinerState = (typeof MINER_STATES)[number];

/** How a miner stands, and why where it gets no work. */
export interface MinerCondition {
  readonly state: MinerState;
  readonly reason: string | null;
}

interface Record {
  /** Failed attempts since the last finished job or quarantine. */
  failures: number;
  /** Quarantines since the last finished job. */
  quarantines: number;
  /** Monotonic ms. */
  until: number;
  /** When a lost lease was counted last, monotonic ms. */
  lostAt: number;
  reason: string;
}

/**
 * Leaves miners out for a growing time when their attempts fail one after the other: else one broken miner,
 * always free, would spend the attempts of every job. Kept in memory: a restart gives everybody a new start.
 */
export class MinerHealth {
  readonly #clock: Clock;
  readonly #records = new Map<string, Record>();
  /** Miners that an administrator keeps from new jobs; their rows outlive the process. */
  readonly #deactivated = new Set<string>();
  /** Miners that their owners keep from new jobs, likewise. */
  readonly #drained = new Set<string>();
  /** Failures of single models. */
  readonly models: ModelBreaker;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.models = new ModelBreaker(clock);
  }

  /** The miner finished a job with a model: what was before is forgotten. */
  succeeded(minerId: string, model: string): void {
    this.#records.delete(minerId);
    this.models.succeeded(minerId, model);
  }

  /**
   * An attempt with a model failed in a way that is the miner's. `error` is what the job shows, `CODE: message`.
   */
  failed(minerId: string, model: string, error: string): void {
    this.models.failed(minerId, model, error);
    this.#count(minerId, error);
  }

  /**
   * The miner left a lease without a word. That says nothing of the model; and what it leaves at once, as a machine
   * that is switched off does with all its jobs, counts once.
   */
  lost(minerId: string, error: string): void {
    const now = this.#clock.monotonic();
    const earlier = this.#records.get(minerId);
    if (earlier && now - earlier.lostAt < LOST_AT_ONCE_MS) return;
    this.#count(minerId, error).lostAt = now;
  }

  #count(minerId: string, error: string): Record {
    const now = this.#clock.monotonic();
    const record = this.#records.get(minerId) ?? {
      failures: 0,
      quarantines: 0,
      until: 0,
      lostAt: Number.NEGATIVE_INFINITY,
      reason: "",
    };
    // Put last: the map's order is that of the latest failures.
    this.#records.delete(minerId);
    this.#records.set(minerId, record);
    record.failures++;
    if (record.failures >= FAILURES_TO_QUARANTINE) {
      const lasts = Math.min(QUARANTINE_BASE_MS * 2 ** record.quarantines, QUARANTINE_CAP_MS);
      record.reason = `${record.failures} attempts failed one after the other, the last with ${error}`;
      record.until = now + lasts;
      record.failures = 0;
      record.quarantines++;
    }
    if (this.#records.size > MAX_RECORDS) this.#forgetOldest();
    return record;
  }

  /** Why a miner gets no work now; undefined when it does. */
  quarantine(minerId: string): string | undefined {
    if (this.#deactivated.has(minerId)) return "an administrator keeps it from new jobs";
    const record = this.#records.get(minerId);
    const leftMs = (record?.until ?? 0) - this.#clock.monotonic();
    if (!record || leftMs <= 0) return this.#drained.has(minerId) ? DRAINED : undefined;
    return `left out for another ${Math.ceil(leftMs / 1000)} s: ${record.reason}`;
  }

  /** Ends a quarantine and forgets the failures, as an administrator may. */
  pardon(minerId: string): void {
    this.#records.delete(minerId);
    this.models.pardon(minerId);
    this.#deactivated.delete(minerId);
  }

  /** Keeps a miner from new jobs until it is pardoned. */
  deactivate(minerId: string): void {
    this.#deactivated.add(minerId);
  }

  /** Keeps a miner from new jobs as its owner wants, or ends that; no pardon does. */
  setDrained(minerId: string, drained: boolean): void {
    if (drained) this.#drained.add(minerId);
    else this.#drained.delete(minerId);
  }

  /** How a miner stands; without a link it is offline. */
  conditionOf(minerId: string, link: Pick<MinerLink, "open" | "draining"> | undefined): MinerCondition {
    const reason = this.quarantine(minerId);
    if (reason !== undefined && reason !== DRAINED) return { state: "quarantined", reason };
    if (!link?.open) return { state: "offline", reason: "gives no sign of life" };
    if (reason === DRAINED) return { state: "draining", reason };
    if (link.draining) return { state: "draining", reason: "finishes its jobs and takes no new ones" };
    return { state: "online", reason: null };
  }

  #forgetOldest(): void {
    const [oldest] = this.#records.keys();
    if (oldest !== undefined) this.#records.delete(oldest);
  }
}
