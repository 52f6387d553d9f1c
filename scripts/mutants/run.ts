/**
 * Puts each known fault into a copy of the code and asserts that its check turns red, and that the same check is
 * green without it. `--only name,name` runs some of them, `--list` names them, `--tests-are-green` trusts that all
 * tests have just passed without a fault. README.md says how to add one.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { killCommandsOnInterrupt } from "../lib/run-command.ts";
import { type CheckResult, describeCheck, runCheck } from "./checks.ts";
import type { Check, Mutant } from "./mutant.ts";
import { MUTANTS } from "./mutants.ts";
import { TreeCopy } from "./tree.ts";

/** Checks at one time, for two cores: many a fault lets a test wait for what never comes, and leaves its core free. */
const WORKERS = 3;
/** Characters shown of a check that went wrong: its end, where the reason stands. */
const SHOWN_CHARACTERS = 3_000;

const { values } = parseArgs({
  options: {
    only: { type: "string" },
    list: { type: "boolean", default: false },
    "tests-are-green": { type: "boolean", default: false },
  },
});

function select(only: string | undefined): readonly Mutant[] {
  if (only === undefined) return MUTANTS;
  const names = only.split(",");
  const unknown = names.filter((name) => !MUTANTS.some((mutant) => mutant.name === name));
  if (unknown.length > 0) {
    console.error(`mutants: none is called ${unknown.join(", ")}; --list names them`);
    process.exit(2);
  }
  return MUTANTS.filter(({ name }) => names.includes(name));
}

/** How checks went without any fault. Mutants that share one share its run. */
const controls = new Map<string, Promise<CheckResult>>();

/** Runs a check in a tree without a fault, once. Tests that are known to be green are not run again. */
function control(check: Check, tree: TreeCopy): Promise<CheckResult> {
  if (values["tests-are-green"] && "test" in check) return Promise.resolve({ outcome: "green", output: "" });
  const key = JSON.stringify(check);
  const known = controls.get(key) ?? runCheck(check, tree.path);
  controls.set(key, known);
  return known;
}

/** Why a mutant is no proof, or undefined when its check sees exactly it. */
async function problemOf(mutant: Mutant, tree: TreeCopy): Promise<string | undefined> {
  const tail = ({ output }: CheckResult): string => output.slice(-SHOWN_CHARACTERS);
  const without = await control(mutant.check, tree);
  if (without.outcome !== "green")
    return `the check is ${without.outcome} without the fault\n${tail(without)}`;
  try {
    const mutated = await tree.withEdits(mutant.edits, () => runCheck(mutant.check, tree.path));
    if (mutated.outcome === "red") return undefined;
    if (mutated.outcome === "green")
      return `MISSED: nobody would notice that "${mutant.breaks}" no longer holds`;
    return `the fault breaks the check itself\n${tail(mutated)}`;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

async function work(queue: Mutant[], tree: TreeCopy): Promise<number> {
  let failed = 0;
  for (let mutant = queue.shift(); mutant; mutant = queue.shift()) {
    const startedAt = performance.now();
    const problem = await problemOf(mutant, tree);
    const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
    const line = `${mutant.name} (${seconds} s): ${describeCheck(mutant.check)}`;
    if (problem === undefined) {
      console.log(`✓ ${line}`);
      continue;
    }
    failed++;
    console.error(`✗ ${line}\n  ${problem}`);
  }
  return failed;
}

async function main(): Promise<number> {
  const selected = select(values.only);
  const directory = mkdtempSync(join(tmpdir(), "aitbc-mutants-"));
  process.on("exit", () => rmSync(directory, { recursive: true, force: true }));
  killCommandsOnInterrupt();
  const startedAt = performance.now();
  // The slowest first, so that no worker is left alone with it at the end.
  const queue = selected.toSorted((a, b) => Number("test" in a.check) - Number("test" in b.check));
  const workers = Array.from({ length: WORKERS }, (_, index) =>
    work(queue, new TreeCopy(join(directory, String(index)))),
  );
  const failed = (await Promise.all(workers)).reduce((sum, count) => sum + count, 0);
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
  console.log(`mutants: ${selected.length - failed} of ${selected.length} caught (${seconds} s)`);
  return failed === 0 ? 0 : 1;
}

if (values.list) for (const { name, breaks } of MUTANTS) console.log(`${name}: ${breaks}`);
else process.exit(await main());
