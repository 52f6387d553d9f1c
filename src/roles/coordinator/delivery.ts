import { AppError } from "../../kernel/errors.ts";
import type { Log } from "../../kernel/log.ts";
import type { Lease } from "./lease.ts";
import { FLUSH_DELAY_MS } from "./limits.ts";
import type { Store } from "./ports.ts";
import { insertChunk, storeProgress } from "./store/delivery.ts";
import type { Db } from "./store/handle.ts";
import { markDelivered } from "./store/jobs.ts";
import type { Streams } from "./streams.ts";

/** What one lease hands to the database at once. */
export interface Portion {
  readonly lease: Lease;
  readonly seq: number;
  readonly text: string;
  readonly startByte: number;
  readonly endByte: number;
  /** JSON of the last signed progress, when it is new. */
  readonly progress: string | null;
}

/** Takes what waits in a lease. The sequence number moves on only when there is text. */
export function takePortion(lease: Lease): Portion {
  const { text, startByte, endByte, progress } = lease.takePending();
  if (text.length > 0) lease.lastSeq++;
  return {
    lease,
    seq: lease.lastSeq,
    text,
    startByte,
    endByte,
    progress: progress ? JSON.stringify(progress) : null,
  };
}

/** Stores the text and progress of a portion. The caller has fenced the lease in the same operation. */
export async function storePortion(tx: Db, portion: Portion): Promise<void> {
  const { jobId: job_id, token } = portion.lease;
  if (portion.text.length > 0) {
    const { seq, startByte: start_byte, text } = portion;
    await insertChunk(tx, { job_id, seq, token, start_byte, text });
  }
  if (portion.progress !== null) await storeProgress(tx, { job_id, token, progress: portion.progress });
}

/** Shows a stored portion to live readers. */
export function publishPortion(streams: Streams, { lease, seq, text }: Portion): void {
  if (text.length > 0) streams.publish(lease.jobId, { seq, segment: lease.token, text });
}

/**
 * Brings delivered text to disk: what all jobs deliver within FLUSH_DELAY_MS goes into one operation, and only
 * after its commit to the readers and, as an acknowledgement, to the miner.
 */
export class Delivery {
  readonly #store: Store;
  readonly #streams: Streams;
  readonly #log: Log;
  readonly #onFenced: (lease: Lease) => void;
  readonly #waiting = new Set<Lease>();
  #timer: NodeJS.Timeout | undefined;
  /** Flushes run one after the other, so that the chunks of a job are stored in their order. */
  #tail: Promise<void> = Promise.resolve();

  constructor(options: { store: Store; streams: Streams; log: Log; onFenced: (lease: Lease) => void }) {
    this.#store = options.store;
    this.#streams = options.streams;
    this.#log = options.log;
    this.#onFenced = options.onFenced;
  }

  /** Asks that what waits in a lease be stored soon. */
  schedule(lease: Lease): void {
    this.#waiting.add(lease);
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.#tail = this.#tail.then(() => this.#flush());
    }, FLUSH_DELAY_MS);
  }

  /** Resolves when everything scheduled before is stored or refused. */
  async drain(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
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
      const { lease, endByte: delivered_bytes, seq: last_seq } = portion;
      const fence = { job_id: lease.jobId, token: lease.token };
      const holds = await markDelivered(tx, fence, { delivered_bytes, last_seq });
      if (holds) await storePortion(tx, portion);
      held.push(holds);
    }
    return held;
  }
}
