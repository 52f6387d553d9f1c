import type { Clock } from "../../kernel/clock.ts";
import { AppError } from "../../kernel/errors.ts";
import type { Log } from "../../kernel/log.ts";
import type { Lease } from "./lease.ts";
import { FLUSH_DELAY_MS, MAX_STORED_CHARACTERS } from "./limits.ts";
import type { Store } from "./ports.ts";
import { insertChunk, storeProgress } from "./store/delivery.ts";
import type { Db } from "./store/handle.ts";
import { holdsLease } from "./store/lease-fence.ts";
import type { Streams } from "./streams.ts";

/** What one lease hands to the database at once. */
export interface Portion {
  readonly lease: Lease;
  readonly chunks: readonly StoredChunk[];
  /** Number of the job's last chunk when this is stored. */
  readonly seq: number;
  readonly endByte: number;
  /** JSON of the last signed progress, when it is new. */
  readonly progress: string | null;
}

interface StoredChunk {
  readonly seq: number;
  readonly startByte: number;
  readonly text: string;
}

/** Takes what waits in a lease. The sequence number moves on only when there is text. */
export function takePortion(lease: Lease): Portion {
  const { text, startByte, endByte, progress } = lease.takePending();
  const chunks = cut(text, lease.lastSeq + 1, startByte);
  lease.lastSeq += chunks.length;
  return {
    lease,
    chunks,
    seq: lease.lastSeq,
    endByte,
    progress: progress ? JSON.stringify(progress) : null,
  };
}

/** Cuts a text into chunks, numbered from `seq`: what comes faster than the disk takes it is no larger for its readers. */
function cut(text: string, seq: number, startByte: number): readonly StoredChunk[] {
  if (text.length === 0) return [];
  if (text.length <= MAX_STORED_CHARACTERS) return [{ seq, startByte, text }];
  const chunks: StoredChunk[] = [];
  let byte = startByte;
  for (let at = 0; at < text.length; ) {
    const most = at + MAX_STORED_CHARACTERS;
    const bytes = Buffer.from(text.slice(at, isInsidePair(text, most) ? most - 1 : most));
    // A copy: a slice would hold the whole text in memory.
    const piece = bytes.toString();
    chunks.push({ seq: seq + chunks.length, startByte: byte, text: piece });
    byte += bytes.length;
    at += piece.length;
  }
  return chunks;
}

/** Whether a place lies between the two halves of a character outside the basic plane. */
const isInsidePair = (text: string, at: number): boolean => (text.codePointAt(at - 1) ?? 0) > 0xffff;

/** Stores the text and progress of a portion. The caller has fenced the lease in the same operation. */
export async function storePortion(tx: Db, portion: Portion): Promise<void> {
  const { jobId: job_id, token } = portion.lease;
  for (const { seq, startByte: start_byte, text } of portion.chunks) {
    await insertChunk(tx, { job_id, seq, token, start_byte, text });
  }
  if (portion.progress !== null) await storeProgress(tx, { job_id, token, progress: portion.progress });
}

/** Shows a stored portion to live readers. */
export function publishPortion(streams: Streams, { lease, chunks }: Portion): void {
  for (const { seq, text } of chunks) streams.publish(lease.jobId, { seq, segment: lease.token, text });
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

  /** Resolves when the flush that is under way has ended: then nothing taken earlier is still unstored. */
  async settled(): Promise<void> {
    await this.#tail;
  }

  async #flush(): Promise<void> {
    const portions = [...this.#waiting].filter((lease) => !lease.ended && lease.hasPending).map(takePortion);
    this.#waiting.clear();
    if (portions.length === 0) return;
    try {
      const held = await this.#store.operation((tx) => this.#storeAll(tx, portions));
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

  /** Which of the portions were stored: a lost lease refuses its own portion only. */
  async #storeAll(tx: Db, portions: readonly Portion[]): Promise<boolean[]> {
    const held: boolean[] = [];
    for (const portion of portions) {
      const { lease } = portion;
      const holds = await holdsLease(tx, { job_id: lease.jobId, token: lease.token });
      if (holds) await storePortion(tx, portion);
      held.push(holds);
    }
    return held;
  }
}
