/** Lets a bounded number of callers in at a time; the others wait in the order in which they came. */
export class Semaphore {
  #free: number;
  readonly #waiting: (() => void)[] = [];

  /** `permits`: callers at once, 1 or more. */
  constructor(permits: number) {
    this.#free = permits;
  }

  /** Runs a function once there is room, and makes room when it has ended, however it did. */
  async run<T>(work: () => Promise<T>): Promise<T> {
    if (this.#free > 0) this.#free--;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
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
