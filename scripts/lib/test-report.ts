import { z } from "zod";

/** The members of vitest's JSON report that the gate reads. */
const reportSchema = z.object({
  success: z.boolean(),
  testResults: z.array(
    z.object({
      name: z.string(),
      /** Unix ms. */
      startTime: z.number().default(0),
      endTime: z.number().default(0),
      /** Why the file could not be loaded. */
      message: z.string().default(""),
      assertionResults: z.array(
        z.object({
          fullName: z.string(),
          status: z.string(),
          failureMessages: z.array(z.string()).default([]),
        }),
      ),
    }),
  ),
});

export interface TestCounts {
  readonly passed: number;
  readonly failed: number;
  /** `file: full name: first line of why` of each test that failed, and of each file that could not be loaded. */
  readonly failures: readonly string[];
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
  const failures: string[] = [];
  const skipped: string[] = [];
  for (const { name, message, assertionResults } of report.testResults) {
    const file = name.replace(`${root}/`, "");
    if (message !== "") failures.push(`${file}: ${firstLine(message)}`);
    for (const { status, fullName, failureMessages } of assertionResults) {
      if (status === "passed") passed += 1;
      else if (status === "failed") {
        failed += 1;
        failures.push(`${file}: ${fullName}: ${firstLine(failureMessages[0] ?? "")}`);
      } else skipped.push(`${file}: ${fullName}`);
    }
  }
  return { passed, failed, failures, skipped };
}

/** The files that took longest, as `file N s`. Throws when the text is not a report. */
export function listLongest(text: string, root: string, count: number): string[] {
  const files = reportSchema.parse(JSON.parse(text)).testResults.map(({ name, startTime, endTime }) => ({
    file: name.replace(`${root}/`, ""),
    seconds: (endTime - startTime) / 1000,
  }));
  const longest = files.toSorted((a, b) => b.seconds - a.seconds).slice(0, count);
  return longest.map(({ file, seconds }) => `${file} ${seconds.toFixed(0)} s`);
}

const firstLine = (text: string): string => text.split("\n", 1)[0] ?? "";
