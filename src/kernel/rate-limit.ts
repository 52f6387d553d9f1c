/** What a limiter says of one call. */
export interface RateDecision {
  readonly allowed: boolean;
  /** Calls that would be allowed right now, after this one. */
  readonly remaining: number;
  /** Seconds until the whole burst is there again, rounded up. */
  readonly resetSeconds: number;
  /** Seconds until the next call is allowed, rounded up; 0 when it is now. */
  readonly retryAfterSeconds: number;
}

/** Callers remembered at once. Past it the least recently seen go: each has had time to recover its burst. */
const MAX_CALLERS = 100_000;

/**
 * A rate limiter after the generic cell rate algorithm (ITU-T I.371, in its virtual scheduling form): each caller
 * has a theoretical arrival time, which a call moves on by one interval; a call that would move it further than the
 * burst lies ahead of now is refused and costs nothing. One number a caller, no timers.
 */
export class RateLimiter {
  readonly #intervalMs: number;
  readonly #burst: number;
  readonly #arrivals = new Map<string, number>();

  /** @param perSecond calls a second in the long run, > 0 @param burst calls at once, ≥ 1 */
  constructor(perSecond: number, burst: number) {
    this.#intervalMs = 1000 / perSecond;
    this.#burst = burst;
  }

  /** Takes one call of a caller at a time of the monotonic clock, in ms. */
  take(caller: string, now: number): RateDecision {
    const toleranceMs = this.#intervalMs * this.#burst;
    const arrival = Math.max(this.#arrivals.get(caller) ?? now, now);
    const next = arrival + this.#intervalMs;
    const allowed = next - now <= toleranceMs;
    const at = allowed ? next : arrival;
    if (allowed) this.#remember(caller, next);
    return {
      allowed,
      remaining: Math.max(0, Math.floor((toleranceMs - (at - now)) / this.#intervalMs)),
      resetSeconds: Math.ceil((at - now) / 1000),
      retryAfterSeconds: allowed ? 0 : Math.max(1, Math.ceil((next - now - toleranceMs) / 1000)),
    };
  }

  #remember(caller: string, arrival: number): void {
    // Deleting first keeps the map in the order of last use.
    this.#arrivals.delete(caller);
    this.#arrivals.set(caller, arrival);
    if (this.#arrivals.size <= MAX_CALLERS) return;
    const oldest = this.#arrivals.keys().next();
    if (!oldest.done) this.#arrivals.delete(oldest.value);
  }
}
