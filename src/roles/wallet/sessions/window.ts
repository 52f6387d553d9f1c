/** Calls of one kind that count against their limit: at most so many within any span of so long. */
export interface WindowLimit {
  readonly calls: number;
  readonly windowMs: number;
}

/** Whether one more call may be made now, and the times that then count. */
export type WindowDecision =
  | { readonly allowed: true; readonly calls: readonly number[] }
  | { readonly allowed: false; readonly retryAfterMs: number };

/**
 * Decides on a call at `now` (Unix ms) after calls at these times, oldest first. A refused call does not count.
 * Times that lie ahead (the machine's clock was set back over a restart) count as now: they never wait longer
 * than the window.
 */
export function decideCall(calls: readonly number[], now: number, limit: WindowLimit): WindowDecision {
  const counting = calls.map((at) => Math.min(at, now)).filter((at) => at > now - limit.windowMs);
  const [oldest] = counting.slice(-limit.calls);
  if (counting.length < limit.calls || oldest === undefined) {
    return { allowed: true, calls: [...counting, now] };
  }
  return { allowed: false, retryAfterMs: oldest + limit.windowMs - now };
}
