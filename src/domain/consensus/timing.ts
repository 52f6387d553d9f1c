/** How long a validator waits. All in ms; a chain's configuration gives them, and nodes may differ in them. */
export interface Timing {
  /** For the proposal of round 0. */
  readonly proposeMs: number;
  /** For the rest of the prevotes, or precommits, after a quorum of any in round 0. */
  readonly voteMs: number;
  /** What each round adds, twice for the proposal: some round is long enough for any delay the network has. */
  readonly growthMs: number;
  /** Longest time without a block while there is nothing to put into one. */
  readonly emptyBlockMs: number;
  /** How far a fresh block's time may lie from the own clock in round 0; each round adds as much again. */
  readonly toleranceMs: number;
}

export const TIMEOUT_KINDS = ["empty-block", "propose", "prevote", "precommit"] as const;
export type TimeoutKind = (typeof TIMEOUT_KINDS)[number];

/** A timeout that was asked for. One of a height or round that is over means nothing any more. */
export interface Timeout {
  readonly kind: TimeoutKind;
  readonly height: number;
  readonly round: number;
}

/**
 * How long a timeout of a round is. Grows without end, and the one for proposals faster: the paper (lemma 5) wants it
 * to exceed the precommits' of the round before by two delays, whatever a delay is.
 */
export function timeoutMs(timing: Timing, kind: TimeoutKind, round: number): number {
  if (kind === "empty-block") return timing.emptyBlockMs;
  const growthMs = round * timing.growthMs;
  return kind === "propose" ? timing.proposeMs + 2 * growthMs : timing.voteMs + growthMs;
}

/** Whether a fresh block of a round has a time that this clock, in Unix ms, can believe. */
export function isTimely(timing: Timing, time: number, now: number, round: number): boolean {
  return Math.abs(time - now) <= timing.toleranceMs * (round + 1);
}
