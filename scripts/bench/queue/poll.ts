import { readFileSync } from "node:fs";
import { join } from "node:path";
import { openDatabase } from "../../../src/kernel/db/database.ts";
import { FairShare } from "../../../src/roles/coordinator/fair-share.ts";
import type { CoordinatorTables } from "../../../src/roles/coordinator/index.ts";
import { Requirements, toNeed } from "../../../src/roles/coordinator/requirements.ts";
import { insertJobs } from "../../../src/roles/coordinator/store/jobs.ts";
import { JobSubmission } from "../../../src/wire/jobs.ts";
import { aitbcCommand, freePort } from "../../torture/processes.ts";
import { CONFIG, createDeps } from "./coordinator.ts";
import { run, start, stop, waitReady } from "./program.ts";
import type { Plan, Result } from "./result.ts";
import { quantile } from "./stats.ts";
import { withDirectory } from "./temporary.ts";

const FEW_JOBS = 1_000;
const MANY_JOBS = 100_000;
/** Enough that a hundredth of them is more than a few pauses of the collector. */
const POLLS = 3_000;
const FILL_BATCH = 2_000;
const HOUR_MS = 3_600_000;

/** Every how many-th job the miner has the model for; 0: none. */
type EligibleOneIn = 1 | 20 | 0;

/** Puts jobs into the queue of a daemon that is stopped. */
async function fill(dataDir: string, directory: string, jobs: number, oneIn: EligibleOneIn): Promise<void> {
  const onFatal = (error: Error): never => {
    throw error;
  };
  await using store = openDatabase<CoordinatorTables>({ path: join(dataDir, "aitbc.db"), onFatal });
  const { clock, ids } = createDeps(store, directory);
  const requirements = new Requirements(store, clock);
  await requirements.load();
  const fair = new FairShare(store, CONFIG);
  const kinds = await Promise.all(
    ["lacking", "offered"].map(async (model) => {
      const submission = JobSubmission.parse({ payload: { type: "inference", model, prompt: "hello" } });
      const price = CONFIG.price_uait_per_million_units;
      return { model, submission, id: await requirements.intern(toNeed(submission, price)) };
    }),
  );
  for (let from = 0; from < jobs; from += FILL_BATCH) {
    await store.operation(async (tx) => {
      for (let n = from; n < Math.min(jobs, from + FILL_BATCH); n++) {
        const kind = kinds[oneIn !== 0 && n % oneIn === 0 ? 1 : 0];
        if (!kind) continue;
        const now = clock.now();
        const job = {
          job_id: ids.next(),
          client_id: `client-${n % 20}`,
          kind: "inference",
          model: kind.model,
          payload: JSON.stringify(kind.submission.payload),
          constraints: "{}",
          requirement_id: kind.id,
          priority: n % 4,
          max_attempts: 3,
          max_run_ms: 600_000,
          requested_at: now,
          expires_at: now + HOUR_MS,
          unit_price: CONFIG.price_uait_per_million_units,
        };
        await insertJobs(tx, [{ job, place: fair.enter(job) }]);
      }
    });
  }
}

/** Times of polls against a daemon with so many jobs; the caller is a process of its own. */
function measureQueue(jobs: number, oneIn: EligibleOneIn): Promise<number[]> {
  return withDirectory(async (directory) => {
    const dataDir = join(directory, "data");
    const env = {
      HOME: directory,
      AITBC_CACHE_DIR: join(directory, "cache"),
      AITBC_COORDINATOR__ALLOW_KEYLESS_MINERS: "true",
      AITBC_HTTP__RATE_LIMIT_PER_SECOND: "100000",
      AITBC_HTTP__RATE_LIMIT_BURST: "1000000",
    };
    const boot = async () => {
      const port = await freePort();
      const flags = [
        "--roles",
        "coordinator",
        "--port",
        `${port}`,
        "--data-dir",
        dataDir,
        "--log-level",
        "warn",
      ];
      const daemon = start([...aitbcCommand(), "serve", ...flags], env);
      await waitReady(port, daemon);
      return { daemon, url: `http://127.0.0.1:${port}` };
    };
    await stop((await boot()).daemon);
    await fill(dataDir, directory, jobs, oneIn);
    const { daemon, url } = await boot();
    const key = readFileSync(join(dataDir, "keys/miner.key"), "utf8").trim();
    const caller = join(import.meta.dirname, "poll-caller.ts");
    const output = await run([process.execPath, caller, url, key, "offered", `${POLLS}`], env);
    await stop(daemon);
    // The line is written by our own script.
    const report = JSON.parse(output) as { times: number[]; jobs: number };
    if (report.jobs > 0 !== oneIn > 0) throw new Error(`${report.jobs} jobs were handed out`);
    return report.times;
  });
}

/** How fast a poll of a miner without a key is answered, with a long queue and with a short one. */
export async function measurePoll(_plan: Plan): Promise<Result[]> {
  const results: Result[] = [];
  for (const [what, oneIn] of [
    ["all fit", 1],
    ["5 % fit", 20],
    ["none fits", 0],
  ] as const) {
    const few = await measureQueue(FEW_JOBS, oneIn);
    const many = await measureQueue(MANY_JOBS, oneIn);
    const at = (q: number): string => `${quantile(few, q).toFixed(2)} → ${quantile(many, q).toFixed(2)} ms`;
    results.push({
      what: `poll over HTTP, p99, 100k jobs queued; ${what}`,
      unit: "ms",
      value: quantile(many, 0.99),
      runs: [quantile(many, 0.99)],
      target: { atMost: 5 },
      note: `1k → 100k: p50 ${at(0.5)}, p99 ${at(0.99)}`,
    });
  }
  return results;
}
