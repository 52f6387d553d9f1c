import { describe, expect, it } from "vitest";
import { replay } from "../../../test/harness/ledger-replay.ts";
import { RESULT_CODES } from "./execution.ts";

/** The short form; `scripts/sim/ledger.ts` runs a million operations. */
const OPERATIONS = 1500;

describe("random operations", () => {
  it.each([1, 2, 3])("keep money whole and equal the naive twin, seed %i", (seed) => {
    const report = replay({ seed, operations: OPERATIONS });
    expect(report.problem).toBeUndefined();
    expect(report.operations).toBeGreaterThanOrEqual(OPERATIONS);
  });

  it("do so after every single one", () => {
    const report = replay({ seed: 8, operations: 400, most: 1 });
    expect(report).toMatchObject({ problem: undefined, blocks: 400 });
  });

  it("fail and succeed in nearly every way there is, burn stake and change the validators", () => {
    const codes = new Set<string>();
    const sizes = new Set<number>();
    for (const seed of [5, 6, 7]) {
      const report = replay({ seed, operations: OPERATIONS });
      for (const code of report.codes.keys()) codes.add(code);
      for (const size of report.setSizes) sizes.add(size);
      expect(report.burned).toBeGreaterThan(0n);
    }
    // Without evidence, which is not included where it fails, and what needs one validator, a hundred, or 2^62 µAIT.
    const never = [
      "VALIDATORS_FULL",
      "LAST_VALIDATOR",
      "INVALID_EVIDENCE",
      "OFFENCE_KNOWN",
      "NO_FAUCET",
      "ISSUE_LIMIT",
    ];
    expect([...codes].sort()).toEqual(RESULT_CODES.filter((code) => !never.includes(code)).sort());
    expect(sizes.size).toBeGreaterThan(2);
  });
});
