import { setTimeout as sleep } from "node:timers/promises";
import type { Clock } from "../../../kernel/clock.ts";
import type { RandomBytes } from "../../../kernel/ids.ts";
import type { Log } from "../../../kernel/log.ts";
import type { ReceiptSource, Store } from "../ports.ts";
import type { ReceiptIngest } from "./ingest.ts";
import { findNewestJob, listOpenJobs, noteJobs, putNewestJob } from "./store.ts";

/**
 * Jobs whose receipts are asked for in one round; the others have their turn in the next. With two calls a job and a
 * round a second that is a tenth of what a key may call: it is the key that the owner works with, too.
 */
const JOBS_PER_ROUND = 50;
/** Jobs that are asked for at once. */
const JOBS_AT_ONCE = 4;
/** Pages of jobs that are looked through in one round: 10,000 jobs with usual pages. */
const PAGES_PER_ROUND = 500;
/** Shortest time between two rounds, in ms: many nudges make one round. */
const ROUND_GAP_MS = 1_000;
/** Longest wait after failures, in ms. */
const LONGEST_WAIT_MS = 5 * 60_000;
const BYTE_VALUES = 256;
/**
 * Ids begin with their time: a job that was noted late, by a coordinator whose clock is behind another's, is at most
 * this much older than the newest, in ms.
 */
const OVERLAP_MS = 60_000;
/** Hex digits of an id's time (UUIDv7, RFC 9562 §5.7). */
const TIME_DIGITS = 12;

/** An id that lies `OVERLAP_MS` before another; everything below it was looked at. */
export function overlapOf(jobId: string): string {
  const time = Number.parseInt(jobId.slice(0, TIME_DIGITS), 16);
  if (!Number.isSafeInteger(time)) return "";
  return Math.max(0, time - OVERLAP_MS)
    .toString(16)
    .padStart(TIME_DIGITS, "0");
}

/** How long to wait after so many failures in a row, in ms: doubling, bounded, half of it chance. */
export function waitAfter(failures: number, pollMs: number, random: RandomBytes): number {
  if (failures === 0) return pollMs;
  const full = Math.min(LONGEST_WAIT_MS, ROUND_GAP_MS * 2 ** Math.min(failures, 30));
  return Math.round(full * (0.5 + (random(1)[0] ?? 0) / BYTE_VALUES / 2));
}

/** Follows one coordinator: notes the caller's jobs there, and reads their receipts until they have ended. */
export class Follower {
  readonly #source: ReceiptSource;
  readonly #store: Store;
  readonly #ingest: ReceiptIngest;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #random: RandomBytes;
  readonly #pollMs: number;
  readonly #onFailure: () => void;
  /** Open jobs up to this row had their turn. */
  #turn = 0;
  #nudged = Promise.withResolvers<void>();
  #abort = new AbortController();
  #running: Promise<void> | undefined;

  constructor(
    source: ReceiptSource,
    deps: {
      store: Store;
      ingest: ReceiptIngest;
      clock: Clock;
      log: Log;
      random: RandomBytes;
      pollMs: number;
      /** A round failed. */
      onFailure: () => void;
    },
  ) {
    this.#source = source;
    this.#store = deps.store;
    this.#ingest = deps.ingest;
    this.#clock = deps.clock;
    this.#log = deps.log;
    this.#random = deps.random;
    this.#pollMs = deps.pollMs;
    this.#onFailure = deps.onFailure;
  }

  get isLocal(): boolean {
    return this.#source.isLocal;
  }

  start(): void {
    this.#running = this.#run(this.#abort.signal);
  }

  /** There may be something new: the next round begins soon. */
  nudge(): void {
    this.#nudged.resolve();
  }

  async stop(): Promise<void> {
    this.#abort.abort();
    await this.#running;
  }

  async #run(signal: AbortSignal): Promise<void> {
    let failures = 0;
    while (!signal.aborted) {
      try {
        await this.#round(signal);
        if (failures > 0) this.#log.info({ coordinator: this.#source.name }, "receipts are read again");
        failures = 0;
      } catch (error) {
        if (signal.aborted) return;
        failures++;
        this.#onFailure();
        const fields = { coordinator: this.#source.name, failures, err: error };
        // Once for each outage: the metric counts the rest.
        if (failures === 1) this.#log.warn(fields, "receipts cannot be read");
      }
      await this.#pause(waitAfter(failures, this.#pollMs, this.#random), failures === 0, signal);
    }
  }

  /** Waits; a nudge ends the wait after the gap, unless the coordinator could not be reached. */
  async #pause(ms: number, canBeNudged: boolean, signal: AbortSignal): Promise<void> {
    const wait = (time: number): Promise<void> =>
      sleep(time, undefined, { signal }).then(
        () => undefined,
        () => undefined,
      );
    const gap = Math.min(ROUND_GAP_MS, ms);
    await wait(gap);
    const ended = new AbortController();
    const rest = sleep(ms - gap, undefined, { signal: AbortSignal.any([signal, ended.signal]) }).catch(
      () => undefined,
    );
    await (canBeNudged ? Promise.race([rest, this.#nudged.promise]) : rest);
    ended.abort();
    this.#nudged = Promise.withResolvers<void>();
  }

  async #round(signal: AbortSignal): Promise<void> {
    await this.#noteNewJobs(signal);
    const { name } = this.#source;
    const open = await listOpenJobs(this.#store.db, name, this.#turn, JOBS_PER_ROUND);
    this.#turn = open.length < JOBS_PER_ROUND ? 0 : (open.at(-1)?.seq ?? 0);
    const waiting = open.values();
    const failures: unknown[] = [];
    const worker = async (): Promise<void> => {
      for (const { job_id } of waiting) {
        await this.#readJob(job_id, signal).catch((error: unknown) => failures.push(error));
        if (signal.aborted) return;
      }
    };
    await Promise.all(Array.from({ length: JOBS_AT_ONCE }, worker));
    // A job that cannot be read has its next turn, and holds up no other; when none can, the coordinator is at fault.
    if (failures.length > 0 && failures.length === open.length) throw failures[0];
  }

  /**
   * Walks from the newest job down to those that were noted before. A walk that breaks off is begun again; one that
   * reaches its bound ends there, and still older jobs are read when they are asked for.
   */
  async #noteNewJobs(signal: AbortSignal): Promise<void> {
    const { name } = this.#source;
    const newest = await findNewestJob(this.#store.db, name);
    const floor = overlapOf(newest);
    let top = newest;
    let before: string | undefined;
    for (let pages = 0; pages < PAGES_PER_ROUND; pages++) {
      const { jobs, next } = await this.#source.listJobs(before, signal);
      const fresh = jobs.filter(({ jobId }) => jobId >= floor);
      for (const { jobId } of fresh) if (jobId > top) top = jobId;
      const keys = fresh.map(({ jobId }) => ({ source: name, job_id: jobId }));
      await this.#store.operation(noteJobs, keys, this.#clock.now());
      if (next === undefined || fresh.length < jobs.length) break;
      before = next;
    }
    if (top !== newest) await this.#store.operation(putNewestJob, name, top);
  }

  async #readJob(jobId: string, signal: AbortSignal): Promise<void> {
    const job = await this.#source.findJob(jobId, signal);
    if (job) await this.#ingest.pull(this.#source, job, signal);
    // A job that the coordinator forgot gets no more receipts there.
    else await this.#ingest.close({ source: this.#source.name, job_id: jobId });
  }
}
