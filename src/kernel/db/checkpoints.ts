import type { MessagePort, Worker } from "node:worker_threads";
import { openWriter } from "./pragmas.ts";
import type { RawDatabase } from "./sqlite.ts";
import { fromPlainError, type PlainError, toPlainError } from "./writer-messages.ts";

/** What the daemon tells the checkpoints' thread. */
type ToCheckpoints = { readonly type: "run"; readonly path: string } | { readonly type: "close" };
/** What it answers. */
type FromCheckpoints = { readonly error: PlainError | undefined };

/** Brings the log into the file when it is told to, as the checkpoints' thread. */
export function serveCheckpoints(port: MessagePort, nativeBinding: object | undefined): void {
  let raw: RawDatabase | undefined;
  const send = (message: FromCheckpoints): void => port.postMessage(message);
  port.on("message", (message: ToCheckpoints) => {
    if (message.type === "close") {
      raw?.close();
      port.close();
      return;
    }
    try {
      // A connection that reads alone may not do this.
      raw ??= openWriter(message.path, nativeBinding, true);
      raw.pragma("wal_checkpoint(PASSIVE)");
      send({ error: undefined });
    } catch (error) {
      send({ error: toPlainError(error) });
    }
  });
}

/** What becomes of checkpoints. */
export interface CheckpointEvents {
  /** One has ended. */
  onEnded(): void;
  /** The storage failed. */
  onFailed(error: Error): void;
  /** The thread is gone, or never came: the writer makes its checkpoints itself, later. */
  onBroken(error: unknown): void;
}

/** Checkpoints in a thread of their own, which runs `serveCheckpoints` from the first one on. */
export class Checkpoints {
  readonly #path: string;
  readonly #start: () => Worker;
  readonly #events: CheckpointEvents;
  #worker: Worker | undefined;
  #closed: Promise<unknown> | undefined;

  constructor(path: string, start: () => Worker, events: CheckpointEvents) {
    this.#path = path;
    this.#start = start;
    this.#events = events;
  }

  run(): void {
    if (this.#closed) return;
    try {
      this.#worker ??= this.#open();
    } catch (error) {
      this.#break(error);
      return;
    }
    this.#worker.postMessage({ type: "run", path: this.#path } satisfies ToCheckpoints);
  }

  /** Ends the thread after what it is doing. */
  async close(): Promise<void> {
    const worker = this.#worker;
    this.#closed ??= worker && new Promise((resolve) => worker.once("exit", resolve));
    worker?.postMessage({ type: "close" } satisfies ToCheckpoints);
    await this.#closed;
  }

  #open(): Worker {
    const worker = this.#start();
    worker.on("message", ({ error }: FromCheckpoints) => {
      if (error) this.#events.onFailed(fromPlainError(error));
      else this.#events.onEnded();
    });
    worker.on("error", (error: unknown) => this.#break(error));
    return worker;
  }

  #break(error: unknown): void {
    this.#closed = Promise.resolve();
    this.#events.onBroken(error);
  }
}
