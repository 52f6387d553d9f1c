import { type PrefixRequest, prefixKeys } from "../../domain/job/prefix.ts";
import type { Clock } from "../../kernel/clock.ts";
import { GenerationCache } from "../../kernel/db/generation-cache.ts";

/** Beginnings of conversations whose miners are remembered, in each of two generations. */
const MAX_PREFIXES = 50_000;
/** Waiting jobs whose conversations are remembered, likewise. */
const MAX_WAITING = 50_000;
/** Beginnings of one conversation that are remembered: its last turn may be asked again in other words. */
const KEPT_OF_ONE = 4;
/** How long a job waits for the miner that holds its conversation while others are free, in ms: far less than reading it again takes. */
export const HOLD_MS = 200;

interface WaitingJob {
  readonly keys: readonly string[];
  /** The miner that ran an earlier turn. */
  readonly holder: string | undefined;
  /** Until when others leave the job to the holder, monotonic ms. */
  readonly heldUntil: number;
}

/**
 * Which miners hold which conversations. Kept in memory and bounded: what is forgotten costs a prompt that is read
 * again. Beginnings are keyed by client and model, so nobody learns from another client's timing.
 */
export class PrefixAffinity {
  readonly #clock: Clock;
  readonly #holders = new GenerationCache<string>(MAX_PREFIXES);
  readonly #waiting = new GenerationCache<WaitingJob>(MAX_WAITING);

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** A job comes in. Returns the miner that holds its conversation, if any. */
  enter(jobId: string, clientId: string, payload: PrefixRequest & { model?: string | undefined }) {
    if (!payload.messages) return undefined;
    const keys = prefixKeys(`${clientId}\0${payload.model ?? ""}`, payload);
    if (keys.length === 0) return undefined;
    let holder: string | undefined;
    for (const key of keys) {
      holder = this.#holders.get(key);
      if (holder !== undefined) break;
    }
    const heldUntil = this.#clock.monotonic() + HOLD_MS;
    this.#waiting.set(jobId, { keys: keys.slice(0, KEPT_OF_ONE), holder, heldUntil });
    return holder;
  }

  /** The miner that holds a waiting job's conversation. */
  holderOf(jobId: string): string | undefined {
    return this.#waiting.get(jobId)?.holder;
  }

  /** The miner that others leave the job to now. */
  heldFor(jobId: string): string | undefined {
    const job = this.#waiting.get(jobId);
    return job && this.#clock.monotonic() < job.heldUntil ? job.holder : undefined;
  }

  /** A miner takes the job, and holds its conversation from here on. Whether it did before; undefined: nobody did. */
  serve(jobId: string, minerId: string): boolean | undefined {
    const job = this.#waiting.get(jobId);
    if (!job) return undefined;
    for (const key of job.keys) this.#holders.set(key, minerId);
    return job.holder === undefined ? undefined : job.holder === minerId;
  }
}
