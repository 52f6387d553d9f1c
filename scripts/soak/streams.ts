/**
 * Streams of all APIs whose clients go away at any moment, from miners and a daemon that are killed (SIGKILL) again
 * and again: every job ends, what was delivered is what is stored, and every unit of it is on one receipt.
 */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { toBase64Url } from "../../src/crypto/bytes.ts";
import { publicKeyOf, SecretKey } from "../../src/crypto/ed25519.ts";
import { Findings } from "../torture/findings.ts";
import { freePort, Program } from "../torture/processes.ts";
import { createRandom } from "../torture/random.ts";
import { ScriptedMiner, TORTURE_MODEL } from "../torture/scripted-miner.ts";
import { checkStreams, type StreamTotals } from "./stream-checks.ts";
import { BUILTIN_MODEL, StreamReaders } from "./stream-readers.ts";

/** Real miners, in processes of their own, that are killed in turn. */
const REAL_MINERS = 2;
/** How long a miner, and the daemon, lives when it is ready, in ms: at least, and at most so much more. */
const MINER_LIFE_MS = { least: 500, more: 1_500 };
const DAEMON_LIFE_MS = { least: 1_000, more: 3_000 };
/** How long everything may take to start, and to end at last, in ms. */
const START_MS = 20_000;
const DRAIN_MS = 60_000;
const POLL_MS = 50;

const { values } = parseArgs({
  options: {
    clients: { type: "string", default: "12" },
    seconds: { type: "string", default: "180" },
    seed: { type: "string", default: "1" },
    /** Keeps the data directory. */
    keep: { type: "boolean", default: false },
  },
});
const clients = Number(values.clients);
const seconds = Number(values.seconds);
const seed = Number(values.seed);
if (!clients || !seconds || !Number.isSafeInteger(seed)) {
  console.error("soak: --clients and --seconds are numbers above 0, --seed is a whole number");
  process.exit(2);
}

const directory = mkdtempSync(join(tmpdir(), "aitbc-soak-"));
const dataDir = join(directory, "data");
const findings = new Findings();
const random = createRandom(seed);
const port = await freePort();
const url = `http://127.0.0.1:${port}`;
const shared = { HOME: directory, AITBC_CACHE_DIR: join(directory, "cache"), AITBC_LOG__FORMAT: "json" };
const daemon = new Program({
  name: "daemon",
  args: ["serve", "--roles", "coordinator", "--port", `${port}`, "--data-dir", dataDir],
  env: {
    ...shared,
    AITBC_COORDINATOR__LEASE_SECONDS: "3",
    AITBC_COORDINATOR__RECONNECT_GRACE_SECONDS: "0",
    AITBC_HTTP__RATE_LIMIT_PER_SECOND: "1000000",
    AITBC_HTTP__RATE_LIMIT_BURST: "1000000",
  },
  readyMessage: "listening",
  findings,
});

const readKey = (kind: "client" | "miner"): string =>
  readFileSync(join(dataDir, "keys", `${kind}.key`), "utf8").trim();
const publicKeyIn = (file: string): string =>
  toBase64Url(publicKeyOf(new SecretKey(Buffer.from(readFileSync(file, "utf8").trim(), "hex"))));
const minerDir = (index: number): string => join(directory, `miner-${index}`);

function startReal(index: number): Program {
  const program = new Program({
    name: `miner ${index}`,
    args: [
      "miner",
      "start",
      "--url",
      url,
      "--data-dir",
      minerDir(index),
      "--engine",
      "builtin",
      "--slots",
      "4",
    ],
    env: { ...shared, AITBC_API_KEY: readKey("miner") },
    readyMessage: "listening",
    findings,
  });
  program.start();
  return program;
}

function startScripted(index: number): ScriptedMiner {
  const miner = new ScriptedMiner({
    url,
    apiKey: readKey("miner"),
    name: `scripted-${index}`,
    flaky: index % 2 === 1,
    seed: seed + index,
    findings,
    coordinatorReady: () => daemon.ready,
  });
  miner.start();
  return miner;
}

/** Fails when something takes too long: the soak always ends. */
async function within<T>(promise: Promise<T>, ms: number, what: string): Promise<T> {
  const late = sleep(ms, undefined, { ref: false }).then(() => {
    throw new Error(`${what} took longer than ${ms / 1000} s`);
  });
  return Promise.race([promise, late]);
}

/** Waits until miners have offered the models: a call for one that nobody ever offered is refused. */
async function untilOffered(): Promise<void> {
  const headers = { "x-api-key": readKey("client") };
  for (const model of [TORTURE_MODEL, BUILTIN_MODEL]) {
    while (!(await fetch(`${url}/v1/models/${model}`, { headers })).ok) await sleep(POLL_MS);
  }
}

/** Kills programs in turn, each some time after it is ready, and starts them again; returns how often. */
async function killInTurn(
  programs: readonly Program[],
  until: number,
  life: { least: number; more: number },
) {
  for (let kills = 0; ; kills++) {
    const program = programs[kills % programs.length];
    if (!program) return kills;
    await within(program.ready, START_MS, "starting a program again");
    await sleep(life.least + random.below(life.more));
    if (performance.now() >= until) return kills;
    await program.kill();
    program.start();
  }
}

async function soak(): Promise<string> {
  daemon.start();
  await within(daemon.ready, START_MS, "starting the daemon");
  const scripted = [0, 1, 2].map(startScripted);
  const real = Array.from({ length: REAL_MINERS }, (_, index) => startReal(index));
  await within(untilOffered(), START_MS, "offering the models");
  const readers = new StreamReaders({
    url,
    apiKey: readKey("client"),
    seed,
    findings,
    daemonReady: () => daemon.ready,
  });
  readers.start(clients);
  const until = performance.now() + seconds * 1000;
  const [minerKills, daemonKills] = await Promise.all([
    killInTurn(real, until, MINER_LIFE_MS),
    killInTurn([daemon], until, DAEMON_LIFE_MS),
  ]);
  readers.finish();
  for (const miner of scripted) miner.finish();
  await within(readers.done(), DRAIN_MS, "ending all jobs");
  for (const miner of scripted) await miner.stop();
  for (const miner of real) await miner.stop();
  await daemon.stop();
  const keys = {
    coordinatorKeys: [publicKeyIn(join(dataDir, "coordinator", "identity.key"))],
    minerKeys: [
      ...scripted.map(({ publicKey }) => toBase64Url(publicKey)),
      ...real.map((_, index) => publicKeyIn(join(minerDir(index), "miner", "identity.key"))),
    ],
  };
  const { jobs } = readers;
  const found = await checkStreams(join(dataDir, "aitbc.db"), jobs, keys, findings);
  return summaryOf(found, jobs.length, {
    minerKills,
    daemonKills,
    breaks: jobs.reduce((sum, job) => sum + job.breaks, 0),
  });
}

function summaryOf(
  { completed, failed, canceled, receipts, continued, bytes }: StreamTotals,
  jobs: number,
  { minerKills, daemonKills, breaks }: { minerKills: number; daemonKills: number; breaks: number },
): string {
  return `${jobs} jobs (${completed} completed, ${failed} failed, ${canceled} canceled), ${continued} of them by several miners, ${receipts} receipts, ${bytes} bytes; ${daemonKills} kills of the daemon, ${minerKills} of miners, ${breaks} broken streams`;
}

let summary = "";
try {
  summary = await soak();
} catch (error) {
  findings.add(error instanceof Error ? (error.stack ?? error.message) : String(error));
}
for (const line of findings.lines()) console.error(`✗ ${line}`);
const what = `${clients} clients of each API, ${seconds} s, seed ${seed}`;
if (findings.count === 0) console.log(`soak: ${what}: ${summary}`);
else console.error(`soak: ${what}: ${findings.count} findings; ${summary}`);
if (values.keep) console.error(`the data directory is ${dataDir}`);
else rmSync(directory, { recursive: true, force: true });
// Sockets that fetch keeps open must not keep it alive.
process.exit(findings.count === 0 ? 0 : 1);
