import type { Worker } from "node:worker_threads";
import { AppError } from "../errors.ts";
import { Checkpoints } from "./checkpoints.ts";
import { MAX_QUEUED, tooManyQueued } from "./group-commit.ts";
import type { WriterEvents, WriterSettings } from "./inline-writer.ts";
import {
  type FromWriter,
  fromPlainError,
  type OperationMessage,
  type ResultMessage,
  type ToWriter,
  toPlainError,
} from "./writer-messages.ts";

/**
 * Operations with which a thread that has nothing to do begins at once: while it writes them, this one makes the
 * next. Callers that all wait for one batch would else make their next operations while the thread waits for them.
 */
const HEAD_START = 32;

/** How the writer gets a second thread, which brings its log into the file. */
export interface CheckpointThread {
  /** Starts a thread that runs `serveCheckpoints`. */
  readonly start: () => Worker;
  /** Hears that there is none. */
  readonly onBroken: (error: unknown) => void;
}

/**
 * Operations in a thread of their own, which runs `serveWriter`: this one goes on while the disk is busy. What
 * comes in one turn of the event loop leaves in one message.
 */
export class ThreadWriter {
  readonly #worker: Worker;
  readonly #startCheckpoints: () => Worker;
  readonly #onBroken: (error: unknown) => void;
  readonly #events: WriterEvents;
  #checkpoints: Checkpoints | undefined;
  readonly #loaded = Promise.withResolvers<void>();
  readonly #closed = Promise.withResolvers<void>();
  readonly #pending = new Map<number, PromiseWithResolvers<unknown>>();
  readonly #drained = Promise.withResolvers<void>();
  #outbox: OperationMessage[] = [];
  #scheduled = false;
  #isLoaded = false;
  #isOpen = false;
  #nextId = 1;
  #failure: AppError | undefined;
  #closing = false;

  constructor(worker: Worker, checkpoints: CheckpointThread, events: WriterEvents) {
    this.#worker = worker;
    this.#startCheckpoints = checkpoints.start;
    this.#onBroken = checkpoints.onBroken;
    this.#events = events;
    worker.on("message", (message: FromWriter) => this.#receive(message));
    worker.on("error", (error: unknown) => this.#lost(error));
    worker.on("exit", (code) => this.#lost(new Error(`the writer's thread ended with code ${code}`)));
    // Whoever waits for it hears of it; nobody need.
    this.#loaded.promise.catch(() => {});
  }

  /** Resolves when its code is loaded; rejects when that fails. */
  get loaded(): Promise<void> {
    return this.#loaded.promise;
  }

  /** Operations whose outcome is not known yet. */
  get queued(): number {
    return this.#pending.size;
  }

  /** Opens the database there. What came before runs then. */
  open(settings: WriterSettings): void {
    this.#isOpen = true;
    this.#checkpoints = new Checkpoints(settings.path, this.#startCheckpoints, {
      onEnded: () => this.#failure ?? this.#post({ type: "checkpointed" }),
      onFailed: (error) => this.fail(error),
      onBroken: this.#onBroken,
    });
    this.#post({ type: "open", settings });
    this.#flush();
  }

  /** Runs a procedure; resolves or rejects after its COMMIT. */
  run(name: string, args: readonly unknown[]): Promise<unknown> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    if (this.#closing) return Promise.reject(new AppError("SHUTTING_DOWN", "the database is closing"));
    if (this.#pending.size >= MAX_QUEUED) return Promise.reject(tooManyQueued());
    const outcome = Promise.withResolvers<unknown>();
    const id = this.#nextId++;
    this.#pending.set(id, outcome);
    this.#outbox.push({ id, name, args });
    const isIdle = this.#pending.size === this.#outbox.length;
    if (isIdle && this.#outbox.length >= HEAD_START) this.#flush();
    else this.#schedule();
    return outcome.promise;
  }

  /** Nothing runs any more: the storage failed elsewhere. */
  fail(cause: unknown): void {
    if (this.#isOpen && !this.#closing) this.#post({ type: "fail", error: toPlainError(cause) });
    this.#fail(
      new AppError("STORAGE_UNAVAILABLE", "the storage failed", { cause }),
      new AppError("OUTCOME_UNKNOWN", "the storage failed while this was written", { cause }),
    );
  }

  /** Takes nothing new, and waits for what has come. */
  async drain(): Promise<void> {
    this.#closing = true;
    this.#flush();
    if (this.#pending.size === 0) this.#drained.resolve();
    await this.#drained.promise;
  }

  /** Closes the connection and ends the thread, after `drain`. */
  async close(): Promise<void> {
    await this.#checkpoints?.close();
    if (this.#failure === undefined) this.#post({ type: "close" });
    await this.#closed.promise;
    await this.#worker.terminate();
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      this.#flush();
    });
  }

  #flush(): void {
    if (!this.#isOpen || this.#outbox.length === 0) return;
    const operations = this.#outbox;
    this.#outbox = [];
    try {
      this.#post({ type: "operations", operations });
    } catch (cause) {
      this.#refuse(operations, cause);
    }
  }

  /** One of the messages holds what cannot leave this thread: a defect, and the operations' callers hear of it. */
  #refuse(operations: readonly OperationMessage[], cause: unknown): void {
    for (const { id, name } of operations) {
      const error = new AppError("STORAGE_MISUSE", `the arguments of ${name} are not data`, { cause });
      this.#take(id)?.reject(error);
    }
  }

  #post(message: ToWriter): void {
    this.#worker.postMessage(message);
  }

  #receive(message: FromWriter): void {
    switch (message.type) {
      case "loaded":
        this.#isLoaded = true;
        this.#loaded.resolve();
        break;
      case "results":
        for (const result of message.results) this.#settle(result);
        for (const { report, schemaChanged } of message.batches) {
          this.#events.onBatch(report, schemaChanged);
        }
        if (message.failure) this.#lost(fromPlainError(message.failure));
        break;
      case "long-log":
        this.#checkpoints?.run();
        break;
      case "failed":
        this.#lost(fromPlainError(message.error));
        break;
      case "closed":
        this.#closed.resolve();
        break;
    }
  }

  #settle(result: ResultMessage): void {
    const outcome = this.#take(result.id);
    if ("error" in result) outcome?.reject(fromPlainError(result.error));
    else outcome?.resolve(result.value);
  }

  #take(id: number): PromiseWithResolvers<unknown> | undefined {
    const outcome = this.#pending.get(id);
    this.#pending.delete(id);
    if (this.#closing && this.#pending.size === 0) this.#drained.resolve();
    return outcome;
  }

  /** The thread is gone, or its storage is: what it was writing may be on the disk or not. */
  #lost(cause: unknown): void {
    this.#loaded.reject(cause);
    this.#closed.resolve();
    // Nothing was handed to a thread that never came up.
    if (!this.#isLoaded || (this.#closing && this.#pending.size === 0)) return;
    const isApp = cause instanceof AppError && cause.code === "STORAGE_UNAVAILABLE";
    this.#fail(
      isApp ? cause : new AppError("STORAGE_UNAVAILABLE", "the storage failed", { cause }),
      new AppError("OUTCOME_UNKNOWN", "the storage failed while this was written", { cause }),
    );
  }

  #fail(failure: AppError, unknown: AppError): void {
    if (this.#failure !== undefined) return;
    this.#failure = failure;
    const unsent = new Set(this.#outbox.map(({ id }) => id));
    this.#outbox = [];
    for (const [id, outcome] of this.#pending) outcome.reject(unsent.has(id) ? failure : unknown);
    this.#pending.clear();
    this.#drained.resolve();
    this.#closed.resolve();
    this.#events.onFatal(failure);
  }
}
