/** How well a miner suits a job, among those that can run it. Higher is better. */

/** What a miner gains that holds the beginning of the conversation in memory: as much as half of its slots free. */
export const PREFIX_BONUS = 0.5;
/** What a miner gains whose model is loaded: loading takes longer than most waits for a slot. */
const WARM_BONUS = 0.75;

export interface Suitability {
  /** Part of the miner's slots that are taken, 0 to 1. */
  readonly load: number;
  /** Whether the model is in memory; undefined where nobody can tell. */
  readonly isWarm: boolean | undefined;
  /** Whether it ran an earlier turn of the same conversation. */
  readonly holdsPrefix: boolean;
}

/**
 * A miner's score. The bonus for a prefix bounds what it may cost: a miner that is busier by more than
 * PREFIX_BONUS than another one loses the conversation to it.
 */
export function scoreMiner({ load, isWarm, holdsPrefix }: Suitability): number {
  return 1 - load + (holdsPrefix ? PREFIX_BONUS : 0) + (isWarm === true ? WARM_BONUS : 0);
}
