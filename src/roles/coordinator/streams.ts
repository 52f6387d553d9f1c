import type { ChunkEvent } from "../../wire/job-events.ts";
import { CHUNK_PAGE } from "./limits.ts";

/** Text kept per job for live readers, in characters and in chunks. Older text comes from the database. */
const RING_CHARACTERS = 64 * 1024;
const RING_CHUNKS = 1024;

interface Stream {
  /** The newest chunks, without a gap. */
  ring: ChunkEvent[];
  /** The chunk before the ring: all later ones are in it. Undefined while nobody knows which that is. */
  floor: number | undefined;
  characters: number;
  /** Raised with each chunk and each change of the job's state. */
  version: number;
  /** `version` at the last change of the job's state. */
  stateVersion: number;
  readonly waiters: Set<Watch>;
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
 * How one reader of a job waits for news, again and again: the signal is listened to once, and one timer serves all of
 * its waits. To be disposed of when it reads no more.
 */
export class Watch implements Disposable {
  readonly #stream: Stream;
  readonly #signal: AbortSignal;
  readonly #wake = (): void => this.wake();
  #resolve: (() => void) | undefined;
  #timer: NodeJS.Timeout | undefined;
  #timerMs = 0;

  constructor(stream: Stream, signal: AbortSignal) {
    this.#stream = stream;
    this.#signal = signal;
    signal.addEventListener("abort", this.#wake, { once: true });
  }

  /** Resolves when the job has changed since `version`, after `maxMs`, or when the signal aborts. One wait at a time. */
  wait(version: number, maxMs: number): Promise<void> {
    if (this.#stream.version !== version || this.#signal.aborted) return Promise.resolve();
    this.#arm(maxMs);
    this.#stream.waiters.add(this);
    return new Promise((resolve) => {
      this.#resolve = resolve;
    });
  }

  /** Ends a wait. */
  wake(): void {
    this.#stream.waiters.delete(this);
    const resolve = this.#resolve;
    this.#resolve = undefined;
    resolve?.();
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
    this.#signal.removeEventListener("abort", this.#wake);
    this.wake();
  }

  #arm(maxMs: number): void {
    if (this.#timer && this.#timerMs === maxMs) {
      this.#timer.refresh();
      return;
    }
    clearTimeout(this.#timer);
    this.#timerMs = maxMs;
    this.#timer = setTimeout(this.#wake, maxMs);
  }
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
      stream = {
        ring: [],
        floor: undefined,
        characters: 0,
        version: 0,
        stateVersion: 0,
        waiters: new Set(),
        readers: 0,
      };
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
    if ((stream.ring.at(-1)?.seq ?? stream.floor) !== chunk.seq - 1) {
      stream.ring = [];
      stream.characters = 0;
      stream.floor = chunk.seq - 1;
    }
    stream.ring.push(chunk);
    stream.characters += chunk.text.length;
    while (
      (stream.characters > RING_CHARACTERS || stream.ring.length > RING_CHUNKS) &&
      stream.ring.length > 1
    ) {
      const dropped = stream.ring.shift();
      stream.characters -= dropped?.text.length ?? 0;
      stream.floor = dropped?.seq;
    }
    this.#wake(stream);
  }

  /**
   * A reader has seen, after it was registered, that nothing of the job was stored yet: so no chunk is older than the
   * ring, and nothing need be read from the database.
   */
  unbegun(jobId: string): void {
    const stream = this.#get(jobId);
    stream.floor ??= 0;
  }

  /** Tells the readers of a job that its state changed. */
  changed(jobId: string): void {
    const stream = this.#streams.get(jobId);
    if (!stream) return;
    this.#wake(stream);
    stream.stateVersion = stream.version;
  }

  look(jobId: string, afterSeq: number): Look {
    const { ring, floor, version, stateVersion } = this.#get(jobId);
    const from = floor === undefined || floor > afterSeq ? undefined : afterSeq - floor;
    const chunks = from === undefined ? undefined : ring.slice(from, from + CHUNK_PAGE);
    return { chunks, version, stateVersion };
  }

  /** How a reader of the job that is registered waits for news of it. */
  watch(jobId: string, signal: AbortSignal): Watch {
    return new Watch(this.#get(jobId), signal);
  }

  #wake(stream: Stream): void {
    stream.version++;
    for (const waiter of stream.waiters) waiter.wake();
  }
}
