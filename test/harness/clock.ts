import type { Clock } from "../../src/kernel/clock.ts";

/** The machine's time, which a test can move forward: what waits for an hour is due after `advance`. */
export class TestClock implements Clock {
  #ahead = 0;

  now(): number {
    return Date.now() + this.#ahead;
  }

  monotonic(): number {
    return performance.now() + this.#ahead;
  }

  /** Moves all of this clock's time forward, in whole ms. */
  advance(ms: number): void {
    this.#ahead += ms;
  }
}
