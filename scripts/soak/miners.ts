/**
 * Many miners and many clients at one daemon, with connections that break: what they leave behind in its memory
 * and among its open files must be nothing. README.md says what was measured.
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { Clients } from "../torture/clients.ts";
import { Findings } from "../torture/findings.ts";
import { freePort, Program } from "../torture/processes.ts";
import { createRandom } from "../torture/random.ts";
import { ScriptedMiner } from "../torture/scripted-miner.ts";

/** How often memory is looked at, in ms. */
const SAMPLE_MS = 250;
/** The first part of the time, in which caches fill: it says nothing about a leak. */
const WARM_UP = 0.4;
/** Growth of the resident memory after the warm-up that is still called flat, in MB: the store's cache and garbage. */
const FLAT_MB = 64;
/** Files that may be open above the number before the first caller: the database's own come and go. */
const SPARE_FILES = 4;
/** How long sockets may take to close when everybody has gone, and everything to end, in ms. */
const CLOSE_MS = 8_000;
const DRAIN_MS = 60_000;
/** Readers that leave before the end, one for so many clients, and how long each stays at most, in ms. */
const LEAVERS_ONE_IN = 10;
const STAY_MS = 200;

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
if (!miners || !clients || !seconds || !Number.isSafeInteger(seed)) {
  console.error("soak: --miners, --clients and --seconds are numbers above 0, --seed is a whole number");
  process.exit(2);
}

const directory = mkdtempSync(join(tmpdir(), "aitbc-soak-"));
const dataDir = join(directory, "data");
const findings = new Findings();
const port = await freePort();
const url = `http://127.0.0.1:${port}`;
const daemon = new Program({
  name: "daemon",
  args: [
    "serve",
    "--roles",
    "coordinator",
    "--port",
    `${port}`,
    "--data-dir",
    dataDir,
    "--log-format",
    "json",
  ],
  env: {
    HOME: directory,
    AITBC_CACHE_DIR: join(directory, "cache"),
    AITBC_COORDINATOR__MAX_STREAMS: "10000",
    AITBC_HTTP__RATE_LIMIT_PER_SECOND: "1000000",
    AITBC_HTTP__RATE_LIMIT_BURST: "1000000",
    AITBC_HTTP__MAX_CONNECTIONS: "20000",
  },
  readyMessage: "listening",
  findings,
});

const openFiles = (): number => readdirSync(`/proc/${daemon.pid}/fd`).length;

/** Resident memory of the daemon, in MB. */
function residentMb(): number {
  const [, kb] = readFileSync(`/proc/${daemon.pid}/status`, "utf8").match(/^VmRSS:\s+(\d+) kB/m) ?? [];
  return Number(kb) / 1024;
}

const readKey = (kind: "client" | "miner"): string =>
  readFileSync(join(dataDir, "keys", `${kind}.key`), "utf8").trim();

const mean = (numbers: readonly number[]): number =>
  numbers.reduce((sum, number) => sum + number, 0) / Math.max(1, numbers.length);

/** Opens streams of jobs and goes away in the middle of them, until the time is over. */
async function leave(all: Clients, apiKey: string, random: ReturnType<typeof createRandom>, until: number) {
  const headers = { "x-api-key": apiKey };
  while (performance.now() < until) {
    const job = all.jobs[random.below(all.jobs.length)];
    if (!job?.jobId) {
      await sleep(STAY_MS);
      continue;
    }
    const signal = AbortSignal.timeout(1 + random.below(STAY_MS));
    const path = random.once(2) ? `/v1/jobs/${job.jobId}` : `/v1/jobs/${job.jobId}/events`;
    await fetch(url + path, { headers, signal })
      .then((response) => response.text())
      .catch(() => undefined);
  }
}

/** Closes the connections that fetch keeps for its next call. */
async function closeKept(): Promise<void> {
  // Node keeps the pool of its own fetch under this symbol, and offers no other way to end it.
  const kept = (globalThis as Record<symbol, unknown>)[Symbol.for("undici.globalDispatcher.1")];
  await (kept as { destroy(): Promise<void> } | undefined)?.destroy();
}

/** Waits until the callers' sockets are closed; the number of open files then. */
async function whenClosed(base: number): Promise<number> {
  const until = performance.now() + CLOSE_MS;
  while (openFiles() > base + SPARE_FILES && performance.now() < until) await sleep(SAMPLE_MS);
  return openFiles();
}

async function soak(minerCount: number, clientCount: number, ms: number): Promise<string> {
  daemon.start();
  await daemon.ready;
  const base = openFiles();
  const ready = (): Promise<void> => daemon.ready;
  const machines = Array.from(
    { length: minerCount },
    (_, index) =>
      new ScriptedMiner({
        url,
        apiKey: readKey("miner"),
        name: `miner-${index}`,
        flaky: index % 2 === 0,
        seed: seed + index,
        findings,
        coordinatorReady: ready,
      }),
  );
  for (const machine of machines) machine.start();
  const all = new Clients({
    url,
    apiKey: readKey("client"),
    seed,
    findings,
    daemonReady: ready,
    onText: () => {},
  });
  all.start({ fast: clientCount, slow: 0, builtin: 0 });
  const until = performance.now() + ms;
  const leavers = Array.from({ length: Math.ceil(clientCount / LEAVERS_ONE_IN) }, (_, index) =>
    leave(all, readKey("client"), createRandom(seed + index), until),
  );
  const samples: number[] = [];
  let mostFiles = base;
  while (performance.now() < until) {
    await sleep(SAMPLE_MS);
    samples.push(residentMb());
    mostFiles = Math.max(mostFiles, openFiles());
  }
  all.finish();
  for (const machine of machines) machine.finish();
  await Promise.race([Promise.all([all.done(), ...leavers]), late()]);
  for (const machine of machines) await machine.stop();
  await closeKept();
  const files = await whenClosed(base);
  const warm = samples.slice(Math.floor(samples.length * WARM_UP));
  const half = Math.floor(warm.length / 2);
  const growth = mean(warm.slice(half)) - mean(warm.slice(0, half));
  findings.expect(growth <= FLAT_MB, `memory grew by ${growth.toFixed(1)} MB after the warm-up`);
  findings.expect(files <= base + SPARE_FILES, `${files} files are open, ${base} before the first caller`);
  for (const { readers, jobId } of all.jobs) {
    findings.expect(
      jobId !== "" && readers.every(({ end }) => end !== undefined),
      `job ${jobId} did not end`,
    );
  }
  await daemon.stop();
  return `${all.jobs.length} jobs; memory ${warm[0]?.toFixed(0)} MB after the warm-up, ${warm.at(-1)?.toFixed(0)} MB at the end (${growth >= 0 ? "+" : ""}${growth.toFixed(1)} MB between the halves); open files ${base} before, ${mostFiles} at most, ${files} after`;
}

/** Fails when everything takes too long to end: the soak always ends. */
async function late(): Promise<never> {
  await sleep(DRAIN_MS, undefined, { ref: false });
  throw new Error(`not everything had ended ${DRAIN_MS / 1000} s after the last submission`);
}

let summary = "";
try {
  summary = await soak(miners, clients, seconds * 1000);
} catch (error) {
  findings.add(error instanceof Error ? (error.stack ?? error.message) : String(error));
  await daemon.kill();
}
for (const line of findings.lines()) console.error(`✗ ${line}`);
const what = `${miners} miners, ${clients} clients, ${seconds} s`;
if (findings.count === 0) console.log(`soak: ${what}: ${summary}`);
else console.error(`soak: ${what}: ${findings.count} findings`);
rmSync(directory, { recursive: true, force: true });
// Sockets that fetch keeps open must not keep it alive.
process.exit(findings.count === 0 ? 0 : 1);
