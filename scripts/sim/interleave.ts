/**
 * Plays seeded schedules of paused, late, duplicate and lying miners against the real coordinator over a real
 * store, in simulated time, and holds every row against what was said. README.md says what is in a schedule.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { toBase64Url } from "../../src/crypto/bytes.ts";
import { publicKeyOf, SecretKey } from "../../src/crypto/ed25519.ts";
import { Findings } from "../torture/findings.ts";
import { checkPlayed } from "./check.ts";
import { Schedule, STALE_STATUS, type Stage } from "./schedule.ts";
import { TARGETS } from "./targets.ts";
import { type Disk, openDisk, takeOverTime, World } from "./world.ts";

/** Schedules that share a database: opening one costs more than a schedule, and the checks read all of it. */
const SCHEDULES_PER_DISK = 50;
/** Seeds are whole numbers below this, and schedules too. */
const SEEDS = 1_000_000;
/** HTTP's answer to a write that lost its lease. */
const CONFLICT = 409;

const { values } = parseArgs({
  options: {
    schedules: { type: "string", default: "10000" },
    seed: { type: "string", default: String(Math.floor(Math.random() * SEEDS)) },
    /** Plays this one only, and prints it. */
    schedule: { type: "string" },
    /** Plays the named schedule of `targets.ts` only, and prints it. */
    target: { type: "string" },
  },
});
const seed = Number(values.seed);
const only = values.schedule === undefined ? undefined : Number(values.schedule);
const count = only === undefined ? Number(values.schedules) : 1;
if (![seed, count, only ?? 0].every((number) => Number.isSafeInteger(number) && number >= 0)) {
  console.error("interleave: --schedules, --seed and --schedule are whole numbers");
  process.exit(2);
}

const totals = { jobs: 0, leases: 0, fenced: 0 };

/** Plays one schedule; returns its trace when something was found. */
async function playOne(
  disk: Disk,
  index: number,
  script?: (stage: Stage) => Promise<void>,
): Promise<readonly string[] | undefined> {
  const findings = new Findings();
  const world = new World(disk, `${seed} ${index}`, index, findings);
  const schedule = new Schedule(world, seed * SEEDS + index);
  try {
    const played = await schedule.play(script);
    const secret = readFileSync(join(disk.directory, "identity.key"), "utf8").trim();
    const key = toBase64Url(publicKeyOf(new SecretKey(Buffer.from(secret, "hex"))));
    await checkPlayed(world, played, key);
    totals.jobs += played.jobs.size;
    totals.leases += played.miners.reduce((sum, { works }) => sum + works.length, 0);
    totals.fenced += played.fenced;
  } catch (error) {
    findings.add(error instanceof Error ? (error.stack ?? error.message) : String(error));
  }
  if (findings.count === 0) return only === undefined ? undefined : schedule.trace;
  return [...schedule.trace, ...findings.lines().map((line) => `✗ ${line}`)];
}

const startedAt = performance.now();
const realNow = performance.now.bind(performance);
takeOverTime();
let failed: number | undefined;

/** Plays the schedules that aim at one fence each; whether nothing was found. */
async function playTargets(names: readonly string[]): Promise<boolean> {
  await using disk = await openDisk();
  let ok = true;
  for (const [index, name] of names.entries()) {
    const trace = await playOne(disk, index, TARGETS[name]);
    const isBad = trace?.some((line) => line.startsWith("✗")) === true;
    if (isBad) console.error(`interleave: found by the schedule "${name}"; again with: --target ${name}`);
    for (const line of trace ?? []) if (isBad) console.error(line);
    ok &&= !isBad;
  }
  return ok;
}

const { target } = values;
if (target !== undefined && !(target in TARGETS)) {
  console.error(`interleave: --target is one of ${Object.keys(TARGETS).join(", ")}`);
  process.exit(2);
}
if (only === undefined) {
  const names = target === undefined ? Object.keys(TARGETS) : [target];
  const ok = await playTargets(names);
  if (!ok || target !== undefined) {
    if (ok) console.log(`interleave: ${target}: nothing found`);
    process.exit(ok ? 0 : 1);
  }
}
const first = only ?? 0;
for (let from = first; from < first + count && failed === undefined; from += SCHEDULES_PER_DISK) {
  await using disk = await openDisk();
  for (let index = from; index < Math.min(first + count, from + SCHEDULES_PER_DISK); index++) {
    const trace = await playOne(disk, index);
    for (const line of trace ?? []) console.error(line);
    if (!trace?.some((line) => line.startsWith("✗"))) continue;
    failed = index;
    break;
  }
}
if (STALE_STATUS !== CONFLICT) failed ??= 0;
const seconds = ((realNow() - startedAt) / 1000).toFixed(1);
if (failed === undefined) {
  const { jobs, leases, fenced } = totals;
  console.log(
    `interleave: ${count} schedules, ${jobs} jobs, ${leases} leases, ${fenced} stale or false writes, each refused (${seconds} s, seed ${seed})`,
  );
} else console.error(`interleave: again with: --seed ${seed} --schedule ${failed}`);
process.exit(failed === undefined ? 0 : 1);
