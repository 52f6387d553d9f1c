import { existsSync, globSync, mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type CommandResult, runCommand } from "./run-command.ts";
import { listLongest, parseTestReport, type TestCounts } from "./test-report.ts";

/** A step of the gate that runs longer than this hangs: twice what the tests take on two cores that others use too. */
const STEP_TIMEOUT_MS = 900_000;

/** The executable that process tests, torture and mutants start. */
const BINARY = "dist/aitbc";

/** Kills and seed of the torture in the gate: enough to meet every window, and the same ones each time. */
const TORTURE_ARGS = ["--kills", "50", "--seed", "1"];

/** Schedules and seed of the interleavings in the gate; without arguments the script plays 10,000. */
const INTERLEAVE_ARGS = ["--schedules", "200", "--seed", "1"];

/** Seeds of the simulated chain in the gate, and the same ones each time; README.md of scripts/sim says how many more. */
const CONSENSUS_ARGS = ["--seeds", "200", "--from", "1"];

/** The soak of streams in the gate. */
const STREAMS_ARGS = ["--clients", "6", "--seconds", "5", "--seed", "1"];

/** The soak in the gate: short, and few enough callers for two cores; its own defaults are many. */
const SOAK_ARGS = ["--miners", "10", "--clients", "60", "--seconds", "3"];

/** Test files that the gate names for the time they take: where to begin when it gets too long. */
const SHOWN_FILES = 5;

export interface StepResult {
  readonly ok: boolean;
  /** What the step printed; shown when it failed. */
  readonly output: string;
  /** A few words beside the step's line, such as a size. */
  readonly note?: string;
  readonly tests?: TestCounts;
}

export interface Step {
  readonly name: string;
  readonly about: string;
  /** Files without which the step fails: a check that vanished must not look like one that passed. */
  readonly needs: readonly string[];
  /** Steps with the same name run side by side, two at a time; a step without one has the machine to itself. */
  readonly beside?: "checks" | "storms";
  /** `done`: how the steps before it went, as far as they ran. */
  readonly run: (done: ReadonlyMap<string, StepResult>) => Promise<StepResult>;
}

/** Types of a tree that was checked before are checked in a tenth of the time: only what changed, and what uses it, is looked at again. */
const TYPES_ARGS = ["--incremental", "--tsBuildInfoFile", "node_modules/.cache/aitbc-types.json"];

/** The gate, in this order: light checks first, the longest of them in front, and the binary before what starts it. */
export const STEPS: readonly Step[] = [
  {
    name: "types",
    about: "types (tsc)",
    needs: ["tsconfig.json"],
    beside: "checks",
    run: command("tsc", ...TYPES_ARGS),
  },
  {
    name: "format",
    about: "format and lint (biome)",
    needs: ["biome.json"],
    beside: "checks",
    run: command("biome", "ci", "--error-on-warnings"),
  },
  {
    name: "dependencies",
    about: "direction of imports (dependency-cruiser)",
    needs: ["scripts/check-dependencies.ts", ".dependency-cruiser.mjs"],
    beside: "checks",
    run: command("node", "scripts/check-dependencies.ts"),
  },
  {
    name: "unused",
    about: "unused code (knip)",
    needs: ["knip.json"],
    beside: "checks",
    run: command("knip"),
  },
  {
    name: "generated",
    about: "generated files are fresh",
    needs: [
      "scripts/gen-vectors.ts",
      "scripts/gen-openapi.ts",
      "scripts/gen-config-example.ts",
      "scripts/gen-tokenizer.ts",
      "scripts/gen-migrations-lock.ts",
    ],
    beside: "checks",
    run: checkGenerated,
  },
  { name: "build", about: `build ${BINARY}`, needs: ["scripts/build.ts"], beside: "checks", run: build },
  { name: "tests", about: "tests (vitest)", needs: ["vitest.config.ts"], run: runTests },
  {
    name: "torture",
    about: "kill -9 at random points",
    needs: ["scripts/torture/kill.ts"],
    beside: "storms",
    run: command("node", "scripts/torture/kill.ts", ...TORTURE_ARGS),
  },
  {
    name: "interleave",
    about: "paused, late, repeated and lying miners",
    needs: ["scripts/sim/interleave.ts"],
    beside: "storms",
    run: command("node", "scripts/sim/interleave.ts", ...INTERLEAVE_ARGS),
  },
  {
    name: "consensus",
    about: "validators agree, and go on, through storms, crashes and lies",
    needs: ["scripts/sim/consensus.ts", "test/sim/simulate.ts"],
    beside: "storms",
    run: command("node", "scripts/sim/consensus.ts", ...CONSENSUS_ARGS),
  },
  {
    name: "soak",
    about: "many miners and clients leave nothing behind",
    needs: ["scripts/soak/miners.ts"],
    beside: "storms",
    run: command("node", "scripts/soak/miners.ts", ...SOAK_ARGS),
  },
  {
    name: "streams",
    about: "streams survive clients, miners and daemons that go away",
    needs: ["scripts/soak/streams.ts"],
    beside: "storms",
    run: command("node", "scripts/soak/streams.ts", ...STREAMS_ARGS),
  },
  {
    name: "mutants",
    about: "every checker catches its mutant",
    needs: ["scripts/mutants/run.ts"],
    run: runMutants,
  },
];

/** Runs a step, or fails it when a file it needs is missing. */
export async function runStep(
  step: Step,
  done: ReadonlyMap<string, StepResult> = new Map(),
): Promise<StepResult> {
  const missing = step.needs.filter((file) => !existsSync(file));
  if (missing.length > 0) return { ok: false, output: `missing: ${missing.join(", ")}\n` };
  return step.run(done);
}

function command(name: string, ...args: readonly string[]): Step["run"] {
  return async () => toStepResult(await runCommand(name, args, STEP_TIMEOUT_MS));
}

/** Tests that were green in this run are not run again without the faults. */
function runMutants(done: ReadonlyMap<string, StepResult>): Promise<StepResult> {
  const flags = done.get("tests")?.ok ? ["--tests-are-green"] : [];
  return command("node", "scripts/mutants/run.ts", ...flags)(done);
}

function toStepResult(result: CommandResult): StepResult {
  return { ok: result.code === 0, output: result.output };
}

/** Every `scripts/gen-*.ts` compares what it would write with what is there. */
async function checkGenerated(): Promise<StepResult> {
  const generators = globSync("scripts/gen-*.ts").sort();
  let output = "";
  let ok = true;
  for (const generator of generators) {
    const result = await runCommand("node", [generator, "--check"], STEP_TIMEOUT_MS);
    if (result.code === 0) continue;
    ok = false;
    output += `${generator} --check exited with ${result.code}; run node ${generator}\n${result.output}`;
  }
  return { ok, output, note: `${generators.length} generators` };
}

async function build(): Promise<StepResult> {
  // A failed build must not leave an older binary behind for the tests to pass on.
  rmSync(BINARY, { force: true });
  const result = await runCommand("node", ["scripts/build.ts"], STEP_TIMEOUT_MS);
  if (result.code !== 0) return toStepResult(result);
  if (!existsSync(BINARY)) return { ok: false, output: `${result.output}\nthe build made no ${BINARY}\n` };
  return { ok: true, output: result.output, note: `${(statSync(BINARY).size / 1e6).toFixed(1)} MB` };
}

async function runTests(): Promise<StepResult> {
  const directory = mkdtempSync(join(tmpdir(), "aitbc-check-"));
  const file = join(directory, "report.json");
  const args = ["run", "--reporter=default", "--reporter=json", `--outputFile.json=${file}`];
  try {
    const result = await runCommand("vitest", args, STEP_TIMEOUT_MS);
    if (!existsSync(file)) return { ok: false, output: `${result.output}\nvitest wrote no report\n` };
    const report = readFileSync(file, "utf8");
    const tests = parseTestReport(report, process.cwd());
    // A file that cannot even be loaded has no failed test: the exit code is what counts.
    const ok = result.code === 0 && tests.failed === 0;
    const longest = listLongest(report, process.cwd(), SHOWN_FILES).join(", ");
    return { ok, output: result.output, note: `${tests.passed} passed; longest: ${longest}`, tests };
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}
