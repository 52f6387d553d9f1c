import type { Clock } from "../../kernel/clock.ts";
import { AppError } from "../../kernel/errors.ts";
import type { Log } from "../../kernel/log.ts";
import type { Lease } from "./lease.ts";
import { FLUSH_DELAY_MS, MAX_STORED_CHARACTERS } from "./limits.ts";
import type { Store } from "./ports.ts";
import { type PortionRows, storePortions } from "./store/portions.ts";
import type { Streams } from "./streams.ts";

/** What one lease hands to the database at once. */
export interface Portion {
  readonly lease: Lease;
  /** What is stored of it. */
  readonly rows: PortionRows;
  /** Number of the job's last chunk when this is stored. */
  readonly seq: number;
  readonly endByte: number;
}

/** Takes what waits in a lease. The sequence number moves on only when there is text. */
export function takePortion(lease: Lease): Portion {
  const { text, startByte, endByte, progress } = lease.takePending();
  const chunks = cut(text, lease.lastSeq + 1, startByte);
  lease.lastSeq += chunks.length;
  const rows = {
    job_id: lease.jobId,
    token: lease.token,
    chunks,
    progress: progress ? JSON.stringify(progress) : null,
  };
  return { lease, rows, seq: lease.lastSeq, endByte };
}

/** Cuts a text into chunks, numbered from `seq`: what comes faster than the disk takes it is no larger for its readers. */
function cut(text: string, seq: number, startByte: number): PortionRows["chunks"] {
  if (text.length === 0) return [];
  if (text.length <= MAX_STORED_CHARACTERS) return [{ seq, start_byte: startByte, text }];
  const chunks: { seq: number; start_byte: number; text: string }[] = [];
  let byte = startByte;
  for (let at = 0; at < text.length; ) {
    const most = at + MAX_STORED_CHARACTERS;
    const bytes = Buffer.from(text.slice(at, isInsidePair(text, most) ? most - 1 : most));
    // A copy: a slice would hold the whole text in memory.
    const piece = bytes.toString();
    chunks.push({ seq: seq + chunks.length, start_byte: byte, text: piece });
    byte += bytes.length;
    at += piece.length;
  }
  return chunks;
}

/** Whether a place lies between the two halves of a character outside the basic plane. */
const isInsidePair = (text: string, at: number): boolean => (text.codePointAt(at - 1) ?? 0) > 0xffff;

/** Shows a stored portion to live readers. */
export function publishPortion(streams: Streams, { rows }: Portion): void {
  const { job_id, token, chunks } = rows;
  for (const { seq, text } of chunks) streams.publish(job_id, { seq, segment: token, text });
}

/**
 * Brings delivered text to disk: what all jobs deliver within FLUSH_DELAY_MS goes into one operation, and only
 * after its commit to the readers and, as an acknowledgement, to the miner.
 */
export class Delivery {
  readonly #store: Store;
  readonly #streams: Streams;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #onFenced: (lease: Lease) => void;
  readonly #waiting = new Set<Lease>();
  #timer: NodeJS.Timeout | undefined;
  /** Whether a flush is about to begin. */
  #scheduled = false;
  /** When the last flush began, monotonic ms. */
  #flushedAt = Number.NEGATIVE_INFINITY;
  /** Flushes run one after the other, so that the chunks of a job are stored in their order. */
  #tail: Promise<void> = Promise.resolve();

  constructor(options: {
    store: Store;
    streams: Streams;
    clock: Clock;
    log: Log;
    onFenced: (lease: Lease) => void;
  }) {
    this.#store = options.store;
    this.#clock = options.clock;
    this.#streams = options.streams;
    this.#log = options.log;
    this.#onFenced = options.onFenced;
  }

  /**
   * Asks that what waits in a lease be stored soon: at once where nothing was for FLUSH_DELAY_MS, so that a lone
   * reader waits for the disk alone, else together with what comes until then.
   */
  schedule(lease: Lease): void {
    this.#waiting.add(lease);
    if (this.#scheduled) return;
    const wait = this.#flushedAt + FLUSH_DELAY_MS - this.#clock.monotonic();
    this.#scheduled = true;
    // A timer takes a millisecond at least.
    if (wait <= 0) setImmediate(() => this.#begin());
    else this.#timer = setTimeout(() => this.#begin(), wait);
  }

  #begin(): void {
    this.#scheduled = false;
    this.#flushedAt = this.#clock.monotonic();
    this.#tail = this.#tail.then(() => this.#flush());
  }

  /** Resolves when everything scheduled before is stored or refused. */
  async drain(): Promise<void> {
    clearTimeout(this.#timer);
    this.#scheduled = false;
    this.#tail = this.#tail.then(() => this.#flush());
    await this.#tail;
  }

  async #flush(): Promise<void> {
    const portions = [...this.#waiting].filter((lease) => !lease.ended && lease.hasPending).map(takePortion);
    this.#waiting.clear();
    if (portions.length === 0) return;
    try {
      const held = await this.#store.operation(
        storePortions,
        portions.map(({ rows }) => rows),
      );
      for (const [index, portion] of portions.entries()) {
        if (!held[index]) {
          this.#onFenced(portion.lease);
          continue;
        }
        publishPortion(this.#streams, portion);
        portion.lease.holder?.acknowledge(portion.lease);
      }
    } catch (error) {
      // The store failed as a whole: the process is about to end, and nobody has seen or been promised this text.
      this.#log.error({ err: error, jobs: portions.length }, "delivered text was not stored");
      if (!(error instanceof AppError)) throw error;
    }
  }
}
