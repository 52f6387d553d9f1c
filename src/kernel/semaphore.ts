import { AppError } from "./errors.ts";

/** Lets a bounded number of callers in at a time; a bounded number waits, in the order in which they came. */
export class Semaphore {
  #free: number;
  readonly #maxWaiting: number;
  readonly #waiting: (() => void)[] = [];

  /** `permits`: callers at once, 1 or more. `maxWaiting`: callers that wait, 0 or more; one more is turned away. */
  constructor(permits: number, maxWaiting: number) {
    this.#free = permits;
    this.#maxWaiting = maxWaiting;
  }

  /**
   * Runs a function once there is room, and makes room when it has ended, however it did.
   * @throws AppError LIMIT_EXCEEDED when too many wait already
   */
  async run<T>(work: () => Promise<T>): Promise<T> {
    if (this.#free > 0) this.#free--;
    else if (this.#waiting.length < this.#maxWaiting) {
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    } else throw new AppError("LIMIT_EXCEEDED", "too many calls of this kind are waiting");
    try {
      return await work();
    } finally {
      const next = this.#waiting.shift();
      // The place goes to the next in line without being free in between.
      if (next) next();
      else this.#free++;
    }
  }
}
