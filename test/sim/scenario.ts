/** What a seed means: which validators there are, and what they have to live through. */

import type { Timing } from "../../src/domain/consensus/timing.ts";
import { Random } from "./random.ts";

/**
 * `twins`: one key runs twice, and each copy talks to a part of the others. `liar`: it says different things to
 * different peers, holds back, votes without locks and sends garbage.
 */
export type Fault = "twins" | "liar";

export interface Scenario {
  readonly seed: number;
  /** Numbers of the keys that validate from the start. */
  readonly validators: readonly number[];
  /** Numbers of the keys whose nodes only follow until a change makes them validators. */
  readonly observers: readonly number[];
  readonly faulty: { readonly key: number; readonly fault: Fault } | null;
  /** How long the network is bad and nodes crash, in ms; then it heals. */
  readonly stormMs: number;
  /** In the storm, of a hundred messages. */
  readonly dropPercent: number;
  readonly duplicatePercent: number;
  /** Way of a message in ms: at most so long in the storm, and from … to afterwards. */
  readonly stormDelayMs: number;
  readonly calmDelayMs: readonly [number, number];
  readonly partitions: boolean;
  /** Whether the storm also takes all copies of what one node would learn, however often it is sent. */
  readonly blackouts: boolean;
  /** Whether the network is quick and works against the locks. */
  readonly ambushes: boolean;
  readonly crashes: boolean;
  /** Longest time of a write to reach the disk, ms. */
  readonly syncMs: number;
  /** Deviation of each node's wall clock, by the key's number, ms. */
  readonly skewsMs: readonly number[];
  /** Changes of the validators, by the moment they are asked for, ms. */
  readonly changes: readonly { readonly atMs: number; readonly keys: readonly number[] }[];
  /** One node loses its disk and comes back from a backup, without its sign-state or with the one it had. */
  readonly restored: { readonly key: number; readonly keepsSignState: boolean } | null;
  /** With Ed25519, and every message as text: one seed in REAL_EVERY. */
  readonly real: boolean;
}

/** How the simulated validators wait. */
export const TIMING: Timing = {
  proposeMs: 100,
  voteMs: 50,
  growthMs: 50,
  emptyBlockMs: 150,
  toleranceMs: 300,
};

const FAST_DELAY_MS = [1, 20] as const;
/** Longer than any timeout of round 0: without timeouts that grow nothing would ever be decided. */
const SLOW_DELAY_MS = [180, 200] as const;

/** Time of a block that nothing disturbs, at most: no transaction comes, and each step waits as long as it may. */
export function blockTimeMs({ calmDelayMs }: Scenario): number {
  return TIMING.emptyBlockMs + TIMING.proposeMs + 2 * TIMING.voteMs + 3 * calmDelayMs[1];
}

/** Real signatures take a hundred times longer: one seed in so many has them. */
const REAL_EVERY = 25;

/** The scenario of a seed. */
export function scenarioOf(seed: number): Scenario {
  const random = new Random(seed);
  // Four is the smallest number that survives a fault, and the one with the fewest votes to spare.
  const size = random.pick([1, 2, 3, 4, 4, 4, 4, 4, 4, 5, 6, 7]);
  const validators = Array.from({ length: size }, (_, key) => key);
  const observers = random.chance(50) ? [size] : [];
  const faulty =
    size >= 4 && random.chance(60) ? { key: random.pick(validators), fault: random.pick(FAULTS) } : null;
  const isSlow = random.chance(30);
  const ambushes = size >= 4 && random.chance(40);
  const restores = faulty === null && size >= 4 && random.chance(50);
  return {
    seed,
    validators,
    observers,
    faulty,
    stormMs: random.between(2_000, 7_000),
    dropPercent: ambushes ? 0 : random.pick([0, 0, 3, 10, 25, 40]),
    duplicatePercent: random.between(0, 20),
    stormDelayMs: ambushes ? 5 : random.pick([2, 10, 40, 200]),
    calmDelayMs: isSlow ? SLOW_DELAY_MS : FAST_DELAY_MS,
    partitions: !ambushes && random.chance(80),
    blackouts: !ambushes && random.chance(40),
    ambushes,
    crashes: random.chance(60),
    syncMs: random.pick([0, 2, 20]),
    skewsMs: [...validators, ...observers].map(() => random.between(-100, 100)),
    changes: size >= 3 ? changesOf(random, validators, observers) : [],
    restored: restores ? { key: random.pick(validators), keepsSignState: random.chance(50) } : null,
    real: seed % REAL_EVERY === 0,
  };
}

const FAULTS: readonly Fault[] = ["twins", "liar"];

/** Sets of at least four, so that a faulty one stays below a third. */
function changesOf(
  random: Random,
  validators: readonly number[],
  observers: readonly number[],
): Scenario["changes"] {
  if (!random.chance(40)) return [];
  const all = [...validators, ...observers];
  const without = random.pick(all);
  const fewer = all.filter((key) => key !== without);
  const sets = fewer.length >= 4 ? [all, fewer, validators] : [all, validators];
  return sets.map((keys, index) => ({ atMs: random.between(500, 2_000) + index * 1_500, keys }));
}
