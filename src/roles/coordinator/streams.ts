import type { ChunkEvent } from "../../wire/job-events.ts";
import { CHUNK_PAGE } from "./limits.ts";

/** Text kept per job for live readers, in characters and in chunks. Older text comes from the database. */
const RING_CHARACTERS = 64 * 1024;
const RING_CHUNKS = 1024;

interface Stream {
  /** The newest chunks, without a gap. */
  ring: ChunkEvent[];
  characters: number;
  /** Raised with each chunk and each change of the job's state. */
  version: number;
  /** `version` at the last change of the job's state. */
  stateVersion: number;
  readonly waiters: Set<() => void>;
  readers: number;
}

/** What a reader finds when it looks at a job's stream. */
export interface Look {
  /** Chunks after the given sequence number, a page at most, or undefined when they must be read from the database. */
  readonly chunks: readonly ChunkEvent[] | undefined;
  readonly version: number;
  readonly stateVersion: number;
}

/**
 * Wakes the readers of jobs and keeps the newest committed chunks at hand. It is a cache and a nudge: readers
 * that miss something read it from the database, so it may forget a job at any time.
 */
export class Streams {
  readonly #streams = new Map<string, Stream>();

  #get(jobId: string): Stream {
    let stream = this.#streams.get(jobId);
    if (!stream) {
      stream = { ring: [], characters: 0, version: 0, stateVersion: 0, waiters: new Set(), readers: 0 };
      this.#streams.set(jobId, stream);
    }
    return stream;
  }

  /** Number of readers, of all jobs. */
  get readers(): number {
    let sum = 0;
    for (const { readers } of this.#streams.values()) sum += readers;
    return sum;
  }

  /** Registers a reader; the returned function takes it back. */
  attach(jobId: string): () => void {
    this.#get(jobId).readers++;
    return () => {
      const stream = this.#get(jobId);
      stream.readers--;
      if (stream.readers === 0) this.#streams.delete(jobId);
    };
  }

  /** Publishes a chunk whose transaction has committed. Costs nothing while nobody reads the job. */
  publish(jobId: string, chunk: ChunkEvent): void {
    const stream = this.#streams.get(jobId);
    if (!stream) return;
    if (stream.ring.at(-1)?.seq !== chunk.seq - 1) {
      stream.ring = [];
      stream.characters = 0;
    }
    stream.ring.push(chunk);
    stream.characters += chunk.text.length;
    while (
      (stream.characters > RING_CHARACTERS || stream.ring.length > RING_CHUNKS) &&
      stream.ring.length > 1
    ) {
      stream.characters -= stream.ring.shift()?.text.length ?? 0;
    }
    this.#wake(stream);
  }

  /** Tells the readers of a job that its state changed. */
  changed(jobId: string): void {
    const stream = this.#streams.get(jobId);
    if (!stream) return;
    this.#wake(stream);
    stream.stateVersion = stream.version;
  }

  look(jobId: string, afterSeq: number): Look {
    const { ring, version, stateVersion } = this.#get(jobId);
    const first = ring[0]?.seq;
    const covered = first !== undefined && first <= afterSeq + 1;
    const from = covered ? afterSeq + 1 - first : 0;
    const chunks = covered ? ring.slice(from, from + CHUNK_PAGE) : undefined;
    return { chunks, version, stateVersion };
  }

  /** Resolves when the job has changed since `version`, after `maxMs`, or when the signal aborts. */
  async wait(jobId: string, version: number, maxMs: number, signal: AbortSignal): Promise<void> {
    const stream = this.#get(jobId);
    if (stream.version !== version || signal.aborted) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    const wake = () => resolve();
    const timer = setTimeout(wake, maxMs);
    stream.waiters.add(wake);
    signal.addEventListener("abort", wake, { once: true });
    await promise;
    clearTimeout(timer);
    stream.waiters.delete(wake);
    signal.removeEventListener("abort", wake);
  }

  #wake(stream: Stream): void {
    stream.version++;
    for (const wake of stream.waiters) wake();
  }
}
