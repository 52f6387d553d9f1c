/** Chance that a seed repeats. */
export interface Random {
  /** A whole number in [0, below). */
  below(limit: number): number;
  /** True once in `every` times on average. */
  once(every: number): boolean;
}

/** 2^32: the generator gives whole numbers below it. */
const RANGE = 0x1_0000_0000;

/** A small generator (mulberry32) with one word of state: good enough to choose moments, not to guard anything. */
export function createRandom(seed: number): Random {
  let state = seed >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return (mixed ^ (mixed >>> 14)) >>> 0;
  };
  const below = (limit: number): number => Math.floor((next() / RANGE) * limit);
  return { below, once: (every) => below(every) === 0 };
}
