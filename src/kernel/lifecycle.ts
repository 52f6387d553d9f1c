import { AppError } from "./errors.ts";
import type { Log } from "./log.ts";

/** A part of the daemon that starts and stops. */
export interface Part {
  readonly name: string;
  /** Resolves when the part does its work. The signal aborts when the daemon begins to stop. */
  start(signal: AbortSignal): Promise<void>;
  /** Lets what is running end, then frees everything. Called once, in reverse order of start. */
  stop(): Promise<void>;
}

/**
 * Starts parts in order and stops them in reverse. A part that fails to start stops those before it.
 * Stopping is bounded: a part that is not done within `stopMs` (ms, for all parts together) is left behind.
 */
export class Lifecycle {
  readonly #log: Log;
  readonly #stopMs: number;
  readonly #started: Part[] = [];
  readonly #abort = new AbortController();
  #stopping: Promise<void> | undefined;

  constructor(log: Log, stopMs: number) {
    this.#log = log;
    this.#stopMs = stopMs;
  }

  /** Aborts when the daemon begins to stop. */
  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  async start(parts: readonly Part[]): Promise<void> {
    for (const part of parts) {
      if (this.signal.aborted) throw new AppError("SHUTTING_DOWN", "stopped while starting");
      try {
        this.#started.push(part);
        await part.start(this.signal);
      } catch (error) {
        await this.stop();
        throw error;
      }
    }
  }

  /** Stops everything once; later calls wait for the same end. */
  stop(): Promise<void> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  async #stop(): Promise<void> {
    this.#abort.abort();
    let timer: NodeJS.Timeout | undefined;
    const bound = new Promise<"late">((resolve) => {
      timer = setTimeout(() => resolve("late"), this.#stopMs);
    });
    for (const part of this.#started.reverse()) {
      const outcome = await Promise.race([bound, this.#stopOne(part)]);
      if (outcome === "late")
        this.#log.warn({ part: part.name, stop_ms: this.#stopMs }, "part did not stop in time");
    }
    clearTimeout(timer);
  }

  async #stopOne(part: Part): Promise<"stopped"> {
    try {
      await part.stop();
    } catch (error) {
      this.#log.error({ part: part.name, err: error }, "part failed to stop");
    }
    return "stopped";
  }
}
