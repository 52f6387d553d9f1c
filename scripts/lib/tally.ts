import type { StepResult } from "./steps.ts";
import type { TestCounts } from "./test-report.ts";

/** Adds up a run: each step counts as one, and each test as one. */
export function tally(results: readonly StepResult[]): TestCounts {
  const count = (key: "passed" | "failed"): number =>
    results.reduce((sum, { tests }) => sum + (tests?.[key] ?? 0), 0);
  const okSteps = results.filter(({ ok }) => ok).length;
  return {
    passed: okSteps + count("passed"),
    failed: results.length - okSteps + count("failed"),
    failures: results.flatMap(({ tests }) => tests?.failures ?? []),
    skipped: results.flatMap(({ tests }) => tests?.skipped ?? []),
  };
}

/** The last line of the gate: `N passed, N failed`, with `, N skipped` where a test was skipped. */
export function closingLine({ passed, failed, skipped }: TestCounts): string {
  const line = `${passed} passed, ${failed} failed`;
  return skipped.length === 0 ? line : `${line}, ${skipped.length} skipped`;
}
