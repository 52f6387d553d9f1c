/** Wrong passwords in a row that cost no wait: a person's typing errors. */
export const FREE_FAILURES = 3;
/** Wait after the next one, in ms; it doubles with each. */
const FIRST_WAIT_MS = 1_000;
/** Longest wait, in ms: the owner is shut out no longer, and a thief has a hundred tries a day. */
export const LONGEST_WAIT_MS = 15 * 60_000;

/** How long no password is tried after so many wrong ones in a row, in ms. */
export function waitAfterFailures(failures: number): number {
  if (failures <= FREE_FAILURES) return 0;
  const doublings = Math.min(failures - FREE_FAILURES - 1, 30);
  return Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** doublings);
}

/**
 * How long the next try must wait at `now`, in ms; 0: not at all. A time that lies further ahead than the wait was
 * long (the machine's clock was set back over a restart) counts as a wait that has just begun.
 */
export function remainingWait(failures: number, blockedUntil: number, now: number): number {
  return Math.max(0, Math.min(blockedUntil - now, waitAfterFailures(failures)));
}
