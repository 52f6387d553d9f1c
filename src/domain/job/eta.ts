/**
 * How long a job will wait for a miner. The queue is played forward some times, with durations like those that were
 * measured, and the middle and the ninth tenth of the outcomes are told. No clock, no chance: the same input gives
 * the same answer.
 */

/** Measured durations that are kept: with each new one the oldest goes, so that what a miner can do now counts. */
export const KEPT_DURATIONS = 64;
/** Times that the queue is played forward: enough for a ninth tenth. */
const PLAYS = 31;
/** Jobs that are played one by one; those behind them take their average. */
const MAX_STEPS = 256;
/** Slots that are played; a larger fleet is played as so many, with as many fewer jobs. */
const MAX_SLOTS = 64;
/** What a job still takes that runs longer than any other did, as a part of what it took so far. */
const OVERDUE_PART = 0.25;
/** How a duration that was only derived is spread around its value: from a quarter of it to five quarters. */
const DERIVED_FROM = 0.25;
const DERIVED_SPREAD = 1;
const P50 = 0.5;
const P90 = 0.9;

/** How long jobs of one sort occupy a slot, in ms. */
export interface Durations {
  readonly mean: number;
  /** The duration that a part `u` (0 to 1) of the jobs stays below, among those that take longer than `after`. */
  at(u: number, after: number): number;
}

/** Durations as they were measured, the latest ones. */
export class MeasuredDurations implements Durations {
  readonly #latest: number[] = [];
  #next = 0;
  #sorted: readonly number[] | undefined;

  /** @param ms how long a job has occupied its slot */
  add(ms: number): void {
    this.#latest[this.#next] = ms;
    this.#next = (this.#next + 1) % KEPT_DURATIONS;
    this.#sorted = undefined;
  }

  get count(): number {
    return this.#latest.length;
  }

  get mean(): number {
    return this.#latest.reduce((sum, ms) => sum + ms, 0) / Math.max(1, this.#latest.length);
  }

  at(u: number, after: number): number {
    const sorted = this.#sort();
    const first = sorted.findIndex((ms) => ms > after);
    if (first < 0) return after * (1 + OVERDUE_PART);
    const left = sorted.length - first;
    return sorted[first + Math.min(left - 1, Math.floor(u * left))] ?? after;
  }

  #sort(): readonly number[] {
    this.#sorted ??= this.#latest.toSorted((a, b) => a - b);
    return this.#sorted;
  }
}

/** Durations around one that was derived from a miner's speed and an answer's length, where nothing was measured. */
export function derivedDurations(ms: number): Durations {
  return {
    mean: ms * (DERIVED_FROM + DERIVED_SPREAD / 2),
    at(u, after) {
      const longest = ms * (DERIVED_FROM + DERIVED_SPREAD);
      const shortest = Math.max(ms * DERIVED_FROM, after);
      return after >= longest ? after * (1 + OVERDUE_PART) : shortest + u * (longest - shortest);
    },
  };
}

/** Measurements that say all there is to say; with fewer, what was derived counts for the rest. */
const ENOUGH_MEASURED = 16;

/**
 * What was measured, as far as there is enough of it, and what was derived: the first jobs that end are the short
 * ones, so that few measurements say too little.
 */
export function blendDurations(measured: MeasuredDurations, derived: Durations): Durations {
  const part = Math.min(1, measured.count / ENOUGH_MEASURED);
  if (part === 1) return measured;
  const blend = (a: number, b: number): number => part * a + (1 - part) * b;
  return {
    mean: blend(measured.mean, derived.mean),
    at: (u, after) => blend(measured.at(u, after), derived.at(u, after)),
  };
}

/** A slot that may take the job: free, or with a job that has run for some time. */
export type Slot = "free" | { readonly elapsedMs: number; readonly durations: Durations };

/** Jobs that are served before the one in question. Their number may be a fraction: an expectation. */
export interface Ahead {
  readonly jobs: number;
  readonly durations: Durations;
}

/** Expected waits, in whole ms. */
export interface Wait {
  readonly p50: number;
  readonly p90: number;
}

/** Estimates a wait; undefined where no slot can ever take the job. */
export function estimateWait(slots: readonly Slot[], ahead: readonly Ahead[]): Wait | undefined {
  if (slots.length === 0) return undefined;
  const chance = createChance();
  const fleet = Math.max(1, slots.length / MAX_SLOTS);
  const played = slots.length <= MAX_SLOTS ? slots : pick(slots, MAX_SLOTS);
  const jobs = ahead.map(({ jobs: count, durations }) => ({ jobs: count / fleet, durations }));
  const outcomes = Array.from({ length: PLAYS }, () => play(played, jobs, chance));
  outcomes.sort((a, b) => a - b);
  const at = (part: number): number => Math.round(outcomes[Math.floor(part * PLAYS)] ?? 0);
  return { p50: at(P50), p90: at(P90) };
}

/** Plays the queue forward once; when a slot is free for the job in question. */
function play(slots: readonly Slot[], ahead: readonly Ahead[], chance: () => number): number {
  const freeAt = slots.map((slot) =>
    slot === "free" ? 0 : slot.durations.at(chance(), slot.elapsedMs) - slot.elapsedMs,
  );
  const total = ahead.reduce((sum, { jobs }) => sum + jobs, 0);
  const steps = Math.min(Math.round(total), MAX_STEPS);
  for (let step = 0; step < steps; step++) {
    const first = indexOfLeast(freeAt);
    freeAt[first] = (freeAt[first] ?? 0) + choose(ahead, total * chance()).at(chance(), 0);
  }
  const work = ahead.reduce((sum, { jobs, durations }) => sum + jobs * durations.mean, 0);
  const rest = total > MAX_STEPS ? (work * (1 - MAX_STEPS / total)) / slots.length : 0;
  return (freeAt[indexOfLeast(freeAt)] ?? 0) + rest;
}

/** The sort of a job by its place among all. */
function choose(ahead: readonly Ahead[], place: number): Durations {
  let left = place;
  let last: Durations | undefined;
  for (const { jobs, durations } of ahead) {
    last = durations;
    left -= jobs;
    if (left < 0) break;
  }
  return last ?? derivedDurations(0);
}

function indexOfLeast(values: readonly number[]): number {
  let least = 0;
  for (let index = 1; index < values.length; index++) {
    if ((values[index] ?? 0) < (values[least] ?? 0)) least = index;
  }
  return least;
}

/** Some of many, evenly. */
function pick<T>(all: readonly T[], count: number): T[] {
  return all.filter(
    (_, index) => Math.floor((index * count) / all.length) !== Math.floor(((index - 1) * count) / all.length),
  );
}

/** Numbers from 0 to 1 that look random and always are the same: mulberry32. */
function createChance(): () => number {
  let state = 0x9e37_79b9;
  return () => {
    state = (state + 0x6d2b_79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
