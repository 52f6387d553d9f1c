import { z } from "zod";

/** The members of vitest's JSON report that the gate reads. */
const reportSchema = z.object({
  success: z.boolean(),
  testResults: z.array(
    z.object({
      name: z.string(),
      assertionResults: z.array(z.object({ fullName: z.string(), status: z.string() })),
    }),
  ),
});

export interface TestCounts {
  readonly passed: number;
  readonly failed: number;
  /** `file: full name` of each test that was skipped or is only planned. */
  readonly skipped: readonly string[];
}

/**
 * Counts the tests of a vitest JSON report. `text` is the report file; file names are shown relative to `root`.
 * Throws when the text is not such a report. A status other than passed and failed counts as skipped, so that
 * a status this code does not know can never look like a pass.
 */
export function parseTestReport(text: string, root: string): TestCounts {
  const report = reportSchema.parse(JSON.parse(text));
  let passed = 0;
  let failed = 0;
  const skipped: string[] = [];
  for (const file of report.testResults) {
    for (const test of file.assertionResults) {
      if (test.status === "passed") passed += 1;
      else if (test.status === "failed") failed += 1;
      else skipped.push(`${file.name.replace(`${root}/`, "")}: ${test.fullName}`);
    }
  }
  return { passed, failed, skipped };
}
