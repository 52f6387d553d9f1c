import type { RandomBytes } from "../../kernel/ids.ts";

/** Wait before the first new try, in ms: a restarting coordinator is back soon, and its leases wait seconds. */
const FIRST_WAIT_MS = 100;
/** Longest wait between two tries, in ms: how late a miner notices that its coordinator is back. */
const LONGEST_WAIT_MS = 15_000;
const BYTE_VALUES = 256;

/**
 * How long to wait before try `attempt` (1 is the first after a failure), in ms: doubling, bounded, and
 * between half and all of it by chance, so that the miners of a restarted coordinator do not return at once.
 */
export function reconnectWaitMs(attempt: number, random: RandomBytes): number {
  const full = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** Math.min(attempt - 1, 30));
  const chance = (random(1)[0] ?? 0) / BYTE_VALUES;
  return Math.round(full * (0.5 + chance / 2));
}
