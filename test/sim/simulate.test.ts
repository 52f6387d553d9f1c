import { describe, expect, it } from "vitest";
import { scenarioOf } from "./scenario.ts";
import { simulate } from "./simulate.ts";

/** With a faulty validator, crashes and real signatures among them. */
const SEEDS = [2, 9, 22, 25];

describe("a simulated chain", () => {
  it.each(SEEDS)("plays seed %i twice the same, whether somebody watches or not", (seed) => {
    const { traceHash, lines, findings } = simulate(seed, true);
    expect(findings).toEqual([]);
    expect(lines.length).toBeGreaterThan(100);
    expect(simulate(seed).traceHash).toBe(traceHash);
  });

  it("plays every seed otherwise", () => {
    const hashes = SEEDS.map((seed) => simulate(seed).traceHash);
    expect(new Set(hashes).size).toBe(SEEDS.length);
  });

  it("meets everything in the seeds of the gate", () => {
    const scenarios = Array.from({ length: 200 }, (_, seed) => scenarioOf(seed + 1));
    const met = (what: (scenario: (typeof scenarios)[number]) => boolean): number =>
      scenarios.filter(what).length;
    for (const size of [1, 2, 3, 4, 5, 6, 7])
      expect(met(({ validators }) => validators.length === size)).toBeGreaterThan(0);
    for (const fault of ["twins", "liar"])
      expect(met(({ faulty }) => faulty?.fault === fault)).toBeGreaterThan(20);
    expect(met(({ crashes }) => crashes)).toBeGreaterThan(50);
    expect(met(({ dropPercent }) => dropPercent === 40)).toBeGreaterThan(10);
    expect(met(({ partitions }) => partitions)).toBeGreaterThan(50);
    expect(met(({ ambushes, faulty }) => ambushes && faulty !== null)).toBeGreaterThan(10);
    expect(met(({ restored }) => restored !== null)).toBeGreaterThan(5);
    expect(met(({ changes }) => changes.length > 0)).toBeGreaterThan(20);
    expect(met(({ real }) => real)).toBe(8);
  });

  it("has fewer than a third of the validators faulty, in every set", () => {
    for (let seed = 1; seed <= 1_000; seed++) {
      const { faulty, validators, changes } = scenarioOf(seed);
      if (faulty === null) continue;
      for (const keys of [validators, ...changes.map((change) => change.keys)]) {
        expect(keys.length).toBeGreaterThanOrEqual(4);
      }
    }
  });
});
