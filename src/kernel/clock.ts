/** The largest part of the elapsed time by which `now` follows the machine's wall clock: 500 ppm. */
const MAX_SLEW = 500e-6;

/** Time as an argument. Code that decides by time takes a Clock and never reads the machine's clock itself. */
export interface Clock {
  /**
   * Unix time in whole milliseconds. It never jumps: a step of the machine's wall clock is followed by at
   * most 500 ppm, so that a step of an hour expires nothing.
   */
  now(): number;
  /** Milliseconds since an arbitrary start, never going back. For leases, timeouts and durations. */
  monotonic(): number;
}

/** The machine's time. */
export function createSystemClock(
  wall: () => number = Date.now,
  monotonic: () => number = () => performance.now(),
): Clock {
  let lastMonotonic = monotonic();
  let current = wall();
  return {
    monotonic,
    now() {
      const at = monotonic();
      const elapsed = at - lastMonotonic;
      lastMonotonic = at;
      const bound = elapsed * MAX_SLEW;
      current += elapsed;
      current += Math.max(-bound, Math.min(bound, wall() - current));
      return Math.floor(current);
    },
  };
}
