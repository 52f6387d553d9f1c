import { existsSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { runCommand } from "../lib/run-command.ts";
import type { Check, ProgramCheck, TestCheck } from "./mutant.ts";

/** Longest time of one check: the slowest starts a daemon a few times. */
const CHECK_TIMEOUT_MS = 60_000;

/** Longest time of one test, in ms: a fault may let a test wait for what never comes. */
const TEST_TIMEOUT_MS = 10_000;

/** How a check ended. `broken`: it could not run, which shows nothing about the code. */
export interface CheckResult {
  readonly outcome: "green" | "red" | "broken";
  readonly output: string;
}

/** What vitest's JSON report says, as far as it is needed. */
interface Report {
  readonly testResults: readonly {
    readonly assertionResults: readonly { readonly fullName: string; readonly status: string }[];
  }[];
}

const isTest = (check: Check): check is TestCheck => "test" in check;

/** Says in words what a check is. */
export function describeCheck(check: Check): string {
  return isTest(check) ? `${check.file}: ${check.test}` : check.args.join(" ");
}

/** Runs a check in a copy of the tree. */
export async function runCheck(check: Check, tree: string): Promise<CheckResult> {
  return isTest(check) ? runTest(check, tree) : runProgram(check, tree);
}

async function runTest({ file, test }: TestCheck, tree: string): Promise<CheckResult> {
  const report = join(tree, "report.json");
  rmSync(report, { force: true });
  const name = `^${RegExp.escape(test)}$`;
  const reporter = ["--reporter=json", `--outputFile.json=${report}`];
  const vitest = join(tree, "node_modules/vitest/vitest.mjs");
  const timeout = `--testTimeout=${TEST_TIMEOUT_MS}`;
  const args = [vitest, "run", file, "--testNamePattern", name, timeout, ...reporter];
  const { output } = await runCommand(process.execPath, args, CHECK_TIMEOUT_MS, tree);
  const tests = existsSync(report) ? readReport(report) : [];
  const found = tests.find(({ fullName }) => fullName === test.replaceAll(" > ", " "));
  // A test that is not in the report was renamed, or its file cannot be loaded.
  if (found?.status === "passed") return { outcome: "green", output };
  return { outcome: found?.status === "failed" ? "red" : "broken", output };
}

function readReport(file: string): Report["testResults"][number]["assertionResults"] {
  const report = JSON.parse(readFileSync(file, "utf8")) as Report;
  return report.testResults.flatMap(({ assertionResults }) => assertionResults);
}

async function runProgram({ args, prints }: ProgramCheck, tree: string): Promise<CheckResult> {
  const { code, output } = await runCommand(process.execPath, args, CHECK_TIMEOUT_MS, tree);
  if (code === 0) return { outcome: "green", output };
  return { outcome: output.includes(prints) ? "red" : "broken", output };
}
