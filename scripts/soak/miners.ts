/**
 * Many miners and many clients at one daemon, with connections that break: what they leave behind in its memory,
 * among its objects and its open files must be nothing. README.md says what was measured.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { loadavg, tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { Findings } from "../torture/findings.ts";
import { Child } from "./child.ts";
import { SoakDaemon } from "./daemon.ts";
import type { GeneratorPlan, GeneratorReport, Holdings } from "./messages.ts";

/** How often open files are counted, in ms. */
const SAMPLE_MS = 250;
/** The first round, which fills caches and lets code be compiled, in parts of the second. */
const WARM_UP = 0.25;
/** Callers in one process: more of them keep one thread so busy that it is late for its own connections. */
const MINERS_A_PROCESS = 100;
const CLIENTS_A_PROCESS = 700;
/** Growth between the rounds' ends, after collecting garbage, that is still called flat, in MB. */
const HEAP_MB = 8;
const RESIDENT_MB = 64;
/**
 * Files that may be open above the number before the first caller: the database's own come and go, and its two threads,
 * which come with the first busy second and the first long log, have an event loop and a connection each.
 */
const SPARE_FILES = 16;
/** Timers that come and go with the daemon's own chores, and not with callers. */
const SPARE_TIMERS = 4;
/** How long sockets may take to close when everybody has gone, and everything to end, in ms. */
const CLOSE_MS = 8_000;
const DRAIN_MS = 120_000;

const { values } = parseArgs({
  options: {
    miners: { type: "string", default: "200" },
    clients: { type: "string", default: "2000" },
    seconds: { type: "string", default: "60" },
    seed: { type: "string", default: "1" },
  },
});
const miners = Number(values.miners);
const clients = Number(values.clients);
const seconds = Number(values.seconds);
const seed = Number(values.seed);
if (!(miners > 0) || !(clients > 0) || !(seconds > 0) || !Number.isSafeInteger(seed)) {
  console.error("soak: --miners, --clients and --seconds are numbers above 0, --seed is a whole number");
  process.exit(2);
}

const directory = mkdtempSync(join(tmpdir(), "aitbc-soak-"));
const findings = new Findings();
process.on("exit", () => rmSync(directory, { recursive: true, force: true }));
for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => process.exit(130));

/** A round: its number and how long it lasts. */
interface Span {
  readonly round: number;
  readonly ms: number;
}

/** Starts as many processes as these callers need. */
function startGenerators(
  { url, key }: SoakDaemon,
  callers: GeneratorPlan["callers"],
  { round, ms }: Span,
): Child[] {
  const [all, most] = callers === "miners" ? [miners, MINERS_A_PROCESS] : [clients, CLIENTS_A_PROCESS];
  const processes = Math.ceil(all / most);
  return Array.from({ length: processes }, (_, index) => {
    const count = Math.floor((all + index) / processes);
    const apiKey = key(callers === "miners" ? "miner" : "client");
    const plan: GeneratorPlan = {
      ...{ callers, count, index, url, apiKey, round, ms },
      seed: seed + index,
      allClients: clients,
    };
    return new Child({
      name: `${callers} ${index}`,
      file: resolve(import.meta.dirname, "generator.ts"),
      args: [JSON.stringify(plan)],
      findings,
    });
  });
}

/** Lets generators finish; how many jobs they had. Adds what they found. */
async function finish(generators: readonly Child[]): Promise<number> {
  const reports = await Promise.all(generators.map((child) => child.ask<GeneratorReport>({})));
  for (const finding of reports.flatMap((report) => report.findings)) findings.add(finding);
  return reports.reduce((sum, { jobs }) => sum + jobs, 0);
}

/** What a round was. */
interface Round {
  readonly jobs: number;
  /** Most files open at one time, and those open when everybody has gone. */
  readonly mostFiles: number;
  readonly files: number;
  readonly held: Holdings;
}

/** Lets all callers come, work for a time, end and go. */
async function playRound(daemon: SoakDaemon, span: Span, baseFiles: number): Promise<Round> {
  const machines = startGenerators(daemon, "miners", span);
  const callers = startGenerators(daemon, "clients", span);
  let mostFiles = baseFiles;
  const until = performance.now() + span.ms;
  while (performance.now() < until) {
    await sleep(SAMPLE_MS);
    mostFiles = Math.max(mostFiles, daemon.openFiles);
  }
  await finish(machines);
  const jobs = await inTime(finish(callers));
  await Promise.all([...machines, ...callers].map((child) => child.stop()));
  const held = await whenLeft(daemon, baseFiles);
  return { jobs, mostFiles, files: daemon.openFiles, held };
}

/** What the daemon holds once it has noticed that everybody has gone. */
async function whenLeft(daemon: SoakDaemon, baseFiles: number): Promise<Holdings> {
  const until = performance.now() + CLOSE_MS;
  for (;;) {
    const held = await daemon.look();
    const isQuiet = daemon.openFiles <= baseFiles + SPARE_FILES && held.objects["sockets"] === 0;
    if (isQuiet || performance.now() > until) return held;
    await sleep(SAMPLE_MS);
  }
}

/** Fails when everything takes too long to end: the soak always ends. */
async function inTime<T>(ending: Promise<T>): Promise<T> {
  const late = sleep(DRAIN_MS, undefined, { ref: false }).then((): never => {
    throw new Error(`not everything had ended ${DRAIN_MS / 1000} s after the last submission`);
  });
  return await Promise.race([ending, late]);
}

/** What the second round left behind in the daemon. */
function compare(before: Holdings, after: Holdings): void {
  const grown = (name: "heapMb" | "residentMb"): number => after[name] - before[name];
  findings.expect(grown("heapMb") <= HEAP_MB, `the heap grew by ${grown("heapMb").toFixed(1)} MB`);
  findings.expect(
    grown("residentMb") <= RESIDENT_MB,
    `the resident memory grew by ${grown("residentMb").toFixed(1)} MB`,
  );
  for (const [name, count] of Object.entries(after.objects)) {
    const spare = name === "timers" ? SPARE_TIMERS : 0;
    const base = before.objects[name] ?? 0;
    findings.expect(count <= base + spare, `${count} ${name} live on, ${base} before the first caller`);
  }
  for (const [kind, count] of Object.entries(after.resources)) {
    const base = before.resources[kind] ?? 0;
    findings.expect(
      count <= base + SPARE_FILES,
      `${count} active resources are ${kind}, ${base} before the first caller`,
    );
  }
}

async function soak(): Promise<string> {
  const daemon = await SoakDaemon.start(directory, findings);
  const baseFiles = daemon.openFiles;
  const start = await daemon.look();
  const ms = seconds * 1000;
  const first = await playRound(daemon, { round: 1, ms: ms * WARM_UP }, baseFiles);
  const second = await playRound(daemon, { round: 2, ms }, baseFiles);
  // What is counted was there before anybody came; memory is flat once its caches are filled.
  const { heapMb, residentMb } = first.held;
  compare({ ...start, heapMb, residentMb }, second.held);
  findings.expect(
    second.files <= baseFiles + SPARE_FILES,
    `${second.files} files are open, ${baseFiles} before the first caller`,
  );
  await daemon.stop();
  const mb = (name: "heapMb" | "residentMb"): string =>
    `${first.held[name].toFixed(1)} to ${second.held[name].toFixed(1)} MB`;
  const objects = Object.entries(second.held.objects).map(
    ([name, count]) => `${name} ${start.objects[name]} to ${count}`,
  );
  return `${first.jobs} and ${second.jobs} jobs; heap ${mb("heapMb")}, resident ${mb("residentMb")}; ${objects.join(", ")}; open files ${baseFiles} before, ${second.mostFiles} at most, ${second.files} after; load ${loadavg()[0]?.toFixed(1)}`;
}

let summary = "";
try {
  summary = await soak();
} catch (error) {
  findings.add(error instanceof Error ? (error.stack ?? error.message) : String(error));
}
for (const line of findings.lines()) console.error(`✗ ${line}`);
const what = `${miners} miners, ${clients} clients, ${seconds} s`;
if (findings.count === 0) console.log(`soak: ${what}: ${summary}`);
else console.error(`soak: ${what}: ${findings.count} findings; ${summary}`);
// The exit ends what a failed soak leaves running.
process.exit(findings.count === 0 ? 0 : 1);
