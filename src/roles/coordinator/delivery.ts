import type { Clock } from "../../kernel/clock.ts";
import { AppError } from "../../kernel/errors.ts";
import type { Log } from "../../kernel/log.ts";
import type { Lease, LeaseHolder, Pending, StoredLease } from "./lease.ts";
import {
  FLUSH_DELAY_MS,
  MAX_FIRST_FLUSHES_AT_ONCE,
  MAX_FLUSHES_AT_ONCE,
  MAX_PIECES_APART,
  MAX_STORED_CHARACTERS,
} from "./limits.ts";
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
  const pending = lease.takePending();
  const { endByte, progress } = pending;
  const chunks = toChunks(pending, lease.lastSeq + 1);
  lease.lastSeq += chunks.length;
  const rows = {
    job_id: lease.jobId,
    token: lease.token,
    chunks,
    progress: progress ? JSON.stringify(progress) : null,
  };
  return { lease, rows, seq: lease.lastSeq, endByte };
}

/**
 * The chunks of what waited, numbered from `seq`: each piece one, as it came. Where more wait than a disk that keeps up
 * would leave, they are joined: it is behind, and catches up with fewer.
 */
function toChunks({ pieces, startByte }: Pending, seq: number): PortionRows["chunks"] {
  if (pieces.length > MAX_PIECES_APART) return cut(pieces.map(({ text }) => text).join(""), seq, startByte);
  const chunks: PortionRows["chunks"][number][] = [];
  let byte = startByte;
  for (const { text, bytes } of pieces) {
    if (text.length <= MAX_STORED_CHARACTERS) {
      chunks.push({ seq: seq + chunks.length, start_byte: byte, text });
    } else chunks.push(...cut(text, seq + chunks.length, byte));
    byte += bytes;
  }
  return chunks;
}

/** Cuts a text into chunks, numbered from `seq`: what comes faster than the disk takes it is no larger for its readers. */
function cut(text: string, seq: number, startByte: number): PortionRows["chunks"] {
  if (text.length === 0) return [];
  if (text.length <= MAX_STORED_CHARACTERS) return [{ seq, start_byte: startByte, text }];
  const chunks: PortionRows["chunks"][number][] = [];
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

/** Whether nothing of the job's text is stored, nor on its way. */
const isUnbegun = (lease: Lease): boolean => lease.lastSeq === 0;

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
  /** Whether one begins at the end of this task. */
  #isUrgent = false;
  /** When the last flush began that was not of first texts alone, monotonic ms. */
  #flushedAt = Number.NEGATIVE_INFINITY;
  /**
   * Flushes that are on their way to the disk. Operations are written in the order in which they were handed over, and
   * end in it, so the chunks of a job are stored and shown in their order.
   */
  readonly #flushes = new Set<Promise<void>>();

  constructor(options: {
    store: Store;
    streams: Streams;
    clock: Clock;
    log: Log;
    /** Ends a lease whose rows are another's by now. */
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
   * reader waits for the disk alone, else together with what comes until then. While one flush is written the next one
   * is made, and no more: what comes meanwhile waits here, and a slow disk gets larger flushes instead of more of them.
   */
  schedule(lease: Lease): void {
    this.#waiting.add(lease);
    if (isUnbegun(lease)) this.#beginNow();
    else this.#beginSoon();
  }

  /** For the first texts of answers: whoever asked sees by it that there will be one. Nothing else goes with them. */
  #beginNow(): void {
    if (this.#isUrgent) return;
    this.#isUrgent = true;
    queueMicrotask(() => {
      this.#isUrgent = false;
      const isFull = this.#flushes.size >= MAX_FIRST_FLUSHES_AT_ONCE;
      if (!isFull) this.#begin([...this.#waiting].filter(isUnbegun));
    });
  }

  #beginSoon(): void {
    if (this.#scheduled || this.#flushes.size >= MAX_FLUSHES_AT_ONCE) return;
    const wait = this.#flushedAt + FLUSH_DELAY_MS - this.#clock.monotonic();
    this.#scheduled = true;
    const begin = (): void => {
      this.#scheduled = false;
      if (this.#flushes.size >= MAX_FLUSHES_AT_ONCE) return;
      this.#flushedAt = this.#clock.monotonic();
      this.#begin([...this.#waiting]);
    };
    // A timer takes a millisecond at least.
    if (wait <= 0) setImmediate(begin);
    else this.#timer = setTimeout(begin, wait);
  }

  #begin(leases: readonly Lease[]): void {
    if (leases.length === 0) return;
    for (const lease of leases) this.#waiting.delete(lease);
    const flush = this.#flush(leases).finally(() => {
      this.#flushes.delete(flush);
      if (this.#waiting.size > 0) this.#beginSoon();
    });
    this.#flushes.add(flush);
  }

  /** Resolves when everything scheduled before is stored or refused. */
  async drain(): Promise<void> {
    clearTimeout(this.#timer);
    this.#scheduled = false;
    this.#begin([...this.#waiting]);
    await Promise.all(this.#flushes);
  }

  async #flush(leases: readonly Lease[]): Promise<void> {
    const portions = leases.filter((lease) => !lease.ended && lease.hasPending).map(takePortion);
    if (portions.length === 0) return;
    try {
      const held = await this.#store.operation(
        storePortions,
        portions.map(({ rows }) => rows),
      );
      this.#tell(portions, held);
    } catch (error) {
      // The store failed as a whole: the process is about to end, and nobody has seen or been promised this text.
      this.#log.error({ err: error, jobs: portions.length }, "delivered text was not stored");
      if (!(error instanceof AppError)) throw error;
    }
  }

  /** Tells readers and miners what is stored. */
  #tell(portions: readonly Portion[], held: readonly boolean[]): void {
    const stored = new Map<LeaseHolder, StoredLease[]>();
    for (const [index, portion] of portions.entries()) {
      const { lease, endByte } = portion;
      if (!held[index]) {
        this.#fence(lease);
        continue;
      }
      publishPortion(this.#streams, portion);
      const { holder } = lease;
      if (!holder) continue;
      const leases = stored.get(holder);
      if (leases) leases.push({ lease, bytes: endByte });
      else stored.set(holder, [{ lease, bytes: endByte }]);
    }
    for (const [holder, leases] of stored) holder.acknowledge(leases);
  }

  /** Of a lease that has ended, what a later flush had is refused too. */
  #fence(lease: Lease): void {
    if (!lease.ended) this.#onFenced(lease);
  }
}
