import type { Worker } from "node:worker_threads";
import { AppError } from "../errors.ts";
import type { BatchReport } from "./group-commit.ts";
import { InlineWriter, type WriterEvents, type WriterSettings } from "./inline-writer.ts";
import type { ProcedureBody, Procedures } from "./procedures.ts";
import { ThreadWriter } from "./thread-writer.ts";

/** What a thread of the store is for. */
export type StoreThread = "writer" | "checkpoints";

/** How operations come to a thread of their own. */
export interface WriterThreadOptions {
  /** All that the database runs from here on. */
  readonly procedures: Procedures;
  /** Starts a thread that runs `serveWriter` with the same procedures, or `serveCheckpoints`. */
  readonly start: (job: StoreThread) => Worker;
  /** Called when a thread could not be started: what it is for stays where it is. */
  readonly onRefused: (error: unknown) => void;
  /** Called when operations run in the thread. */
  readonly onMoved?: () => void;
  /**
   * Milliseconds of one second's writing from which the writer moves. An idle daemon does without the memory of a
   * second JavaScript heap; one that streams to several clients, or has a slow disk, must not wait.
   */
  readonly busyMs: number;
}

const MS_PER_SECOND = 1000;

/** Runs operations on the one writing connection: in this thread, and in one of its own when they are many. */
export class OperationRunner {
  readonly #settings: WriterSettings;
  readonly #events: WriterEvents;
  readonly #inline: InlineWriter;
  #threadOptions: WriterThreadOptions | undefined;
  #thread: ThreadWriter | undefined;
  #moving: Promise<void> | undefined;
  #closing = false;
  #failed = false;
  /** Time spent with batches since `#countedFrom` (monotonic ms). */
  #busyMs = 0;
  #countedFrom = Number.NEGATIVE_INFINITY;

  constructor(settings: WriterSettings, events: WriterEvents, nativeBinding: object | undefined) {
    this.#settings = settings;
    this.#events = {
      onFatal: (error) => {
        if (this.#failed) return;
        this.#failed = true;
        events.onFatal(error);
      },
      onBatch: (report, schemaChanged) => this.#note(report, schemaChanged, events),
    };
    this.#inline = new InlineWriter(settings, this.#events, nativeBinding);
  }

  get queued(): number {
    return (this.#thread?.queued ?? 0) + this.#inline.queued;
  }

  /** Whether operations run in a thread of their own. */
  get isThreaded(): boolean {
    return this.#thread !== undefined;
  }

  /** From here on bodies must be procedures, and a busy writer moves. */
  useThread(options: WriterThreadOptions): void {
    this.#threadOptions = options;
  }

  run(body: ProcedureBody, args: readonly unknown[]): Promise<unknown> {
    if (this.#closing) return Promise.reject(new AppError("SHUTTING_DOWN", "the database is closing"));
    try {
      const name = this.#threadOptions?.procedures.nameOf(body);
      if (this.#thread && name !== undefined) return this.#thread.run(name, args);
    } catch (error) {
      return Promise.reject(error);
    }
    return this.#inline.run({ body, args, inBulk: this.#threadOptions?.procedures.bulkOf(body) });
  }

  fail(cause: unknown): void {
    if (this.#thread) this.#thread.fail(cause);
    else this.#inline.fail(cause);
  }

  /** Takes nothing new, and waits for what has come. */
  async drain(): Promise<void> {
    this.#closing = true;
    await this.#moving;
    await (this.#thread ?? this.#inline).drain();
  }

  /** Closes the connection, after `drain`. */
  async close(): Promise<void> {
    await (this.#thread ?? this.#inline).close();
  }

  #note(report: BatchReport, schemaChanged: boolean, events: WriterEvents): void {
    events.onBatch(report, schemaChanged);
    if (!this.#threadOptions || this.#moving || this.#closing) return;
    const now = performance.now();
    if (now - this.#countedFrom >= MS_PER_SECOND) {
      this.#countedFrom = now;
      this.#busyMs = 0;
    }
    this.#busyMs += report.totalMs;
    if (this.#busyMs >= this.#threadOptions.busyMs) {
      this.#moving = this.#move(this.#threadOptions);
    }
  }

  /**
   * Operations go on here until the thread is ready; those that come while the last of them end wait for it, so
   * that there is one writer at any time. Never rejects.
   */
  async #move({ start, onRefused, onMoved }: WriterThreadOptions): Promise<void> {
    let thread: ThreadWriter;
    try {
      thread = new ThreadWriter(
        start("writer"),
        { start: () => start("checkpoints"), onBroken: onRefused },
        this.#events,
      );
      await thread.loaded;
    } catch (error) {
      onRefused(error);
      return;
    }
    this.#thread = thread;
    await this.#inline.drain();
    await this.#inline.close();
    if (this.#failed) thread.fail(new AppError("STORAGE_UNAVAILABLE", "the storage failed"));
    else thread.open(this.#settings);
    onMoved?.();
  }
}
