/**
 * The gate: every check of the project, never stopping early, so that one run shows everything that is wrong. What
 * uses one core runs two at a time, the rest alone. `npm run check -- --only types,tests` runs a part of it.
 */
import { delimiter, join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { COMPILE_CACHE } from "./lib/compile-cache.ts";
import { killCommandsOnInterrupt } from "./lib/run-command.ts";
import { runStep, STEPS, type Step, type StepResult } from "./lib/steps.ts";
import { closingLine, tally } from "./lib/tally.ts";

/** Steps that run side by side: each has a core of its own. */
const LANES = 2;

/** Lines shown of a failed step: the end, where tools put what matters, without flooding the terminal. */
const MAX_SHOWN_LINES = 300;

const root = resolve(import.meta.dirname, "..");

const { values } = parseArgs({
  options: {
    only: { type: "string" },
    list: { type: "boolean", default: false },
    "no-skips": { type: "boolean", default: process.env["CI"] === "true" },
  },
});

/** Picks the named steps in the gate's own order; an unknown name ends the program. */
function selectSteps(only: string | undefined): readonly Step[] {
  if (only === undefined) return STEPS;
  const names = only.split(",").map((name) => name.trim());
  const unknown = names.filter((name) => !STEPS.some((step) => step.name === name));
  if (unknown.length > 0) {
    console.error(`check: no step is called ${unknown.join(", ")}; --list shows them`);
    process.exit(2);
  }
  return STEPS.filter((step) => names.includes(step.name));
}

/** A skipped test fails the tests where none is allowed: a check that did not run has proven nothing. */
function refuseSkips(result: StepResult): StepResult {
  const skipped = result.tests?.skipped ?? [];
  if (!values["no-skips"] || skipped.length === 0) return result;
  return { ...result, ok: false, output: `${result.output}\nskipped tests are not allowed in this run\n` };
}

function printFailure(step: Step, output: string): void {
  const lines = output.trimEnd().split("\n");
  const shown = lines.slice(-MAX_SHOWN_LINES);
  if (shown.length < lines.length) console.log(`  … ${lines.length - shown.length} lines before these`);
  for (const line of shown) console.log(`  ${line}`);
  console.log(`  again: npm run check -- --only ${step.name}`);
}

/** Runs the steps in their order; those that follow each other and may run side by side, as many as there are lanes. */
async function runSteps(steps: readonly Step[]): Promise<ReadonlyMap<string, StepResult>> {
  const results = new Map<string, StepResult>();
  const drain = async (queue: Step[]): Promise<void> => {
    for (let step = queue.shift(); step; step = queue.shift())
      results.set(step.name, await show(step, results));
  };
  for (const group of groupSteps(steps)) await Promise.all(Array.from({ length: LANES }, () => drain(group)));
  return results;
}

/** Steps that run at the same time as their neighbours, each group a list of its own. */
function groupSteps(steps: readonly Step[]): Step[][] {
  const groups: Step[][] = [];
  for (const step of steps) {
    const last = groups.at(-1);
    if (step.beside !== undefined && last?.[0]?.beside === step.beside) last.push(step);
    else groups.push([step]);
  }
  return groups;
}

/** Runs one step and prints how it went. */
async function show(step: Step, done: ReadonlyMap<string, StepResult>): Promise<StepResult> {
  console.log(`     ${step.name}: ${step.about} …`);
  const startedAt = performance.now();
  const result = refuseSkips(await runStep(step, done));
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
  const note = result.note === undefined ? "" : `, ${result.note}`;
  console.log(`${result.ok ? "ok  " : "FAIL"} ${step.name} (${seconds} s${note})`);
  if (!result.ok) printFailure(step, result.output);
  return result;
}

async function main(): Promise<number> {
  if (values.list) {
    for (const step of STEPS) console.log(`${step.name.padEnd(14)}${step.about}`);
    return 0;
  }
  process.chdir(root);
  process.env["PATH"] = [join(root, "node_modules", ".bin"), process.env["PATH"]].join(delimiter);
  Object.assign(process.env, COMPILE_CACHE);
  killCommandsOnInterrupt();
  const startedAt = performance.now();
  const results = await runSteps(selectSteps(values.only));
  const total = tally([...results.values()]);
  for (const name of total.skipped) console.log(`skipped  ${name}`);
  // Last, so that whoever sees only the end of a long log sees what is wrong.
  for (const failure of total.failures) console.log(`failed   ${failure}`);
  for (const [name, { ok }] of results) if (!ok) console.log(`failed   step ${name}`);
  console.log(`${((performance.now() - startedAt) / 1000).toFixed(0)} s in all`);
  console.log(closingLine(total));
  return total.failed === 0 ? 0 : 1;
}

process.exitCode = await main();
