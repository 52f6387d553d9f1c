/**
 * Kills the daemon (SIGKILL) again and again at random moments while jobs run, and shows at the end that
 * nothing acknowledged was lost, nothing seen was taken back, and everything delivered was receipted once.
 * README.md says what stands for what.
 */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { toBase64Url } from "../../src/crypto/bytes.ts";
import { publicKeyOf, SecretKey } from "../../src/crypto/ed25519.ts";
import { Clients } from "./clients.ts";
import { Findings } from "./findings.ts";
import { aitbcCommand, freePort, Program } from "./processes.ts";
import { createRandom } from "./random.ts";
import { ScriptedMiner } from "./scripted-miner.ts";
import { type SignerKeys, verifyDatabase } from "./verify.ts";

/** Clients of each kind: together about as many jobs in flight as both scripted miners have slots. */
const CLIENTS = { fast: 40, slow: 6, builtin: 2 };
/** Longest time from text in flight to the kill, in ms. */
const MAX_LIFE_MS = 400;
/** One kill in so many hits the daemon while it starts, at most this long after its exec. */
const EARLY_ONE_IN = 10;
const MAX_EARLY_MS = 300;
/** The first start of all, which makes keys and tables, is killed at most this long after its exec. */
const MAX_FIRST_MS = 600;
/** The real miner is killed and started anew with every so many kills; it waits long for a daemon that dies at once. */
const MINER_KILL_EVERY = 6;
/** Longest wait for text to flow after a start, and for everything to end at last, in ms. */
const FLOW_TIMEOUT_MS = 15_000;
const DRAIN_TIMEOUT_MS = 60_000;
/** Seeds are whole numbers below this. */
const SEEDS = 1_000_000;

const { values } = parseArgs({
  options: {
    kills: { type: "string", default: "50" },
    seed: { type: "string", default: String(Math.floor(Math.random() * SEEDS)) },
    /** Keeps the data directory of a good run; that of a bad one is kept unless it is discarded. */
    keep: { type: "boolean", default: false },
    discard: { type: "boolean", default: false },
  },
});
const kills = Number(values.kills);
const seed = Number(values.seed);
if (!Number.isSafeInteger(kills) || kills < 0 || !Number.isSafeInteger(seed)) {
  console.error("kill: --kills and --seed are whole numbers");
  process.exit(2);
}

const startedAt = performance.now();
const directory = mkdtempSync(join(tmpdir(), "aitbc-torture-"));
const dataDir = join(directory, "data");
const minerDir = join(directory, "miner");
const random = createRandom(seed);
const findings = new Findings();
const port = await freePort();
const url = `http://127.0.0.1:${port}`;
const cache = { AITBC_CACHE_DIR: join(directory, "cache"), HOME: directory };

const daemon = new Program({
  name: "daemon",
  args: [
    "serve",
    "--roles",
    "coordinator",
    "--port",
    String(port),
    "--data-dir",
    dataDir,
    "--log-format",
    "json",
  ],
  env: {
    ...cache,
    // Leases that end within seconds, so that lost ones are handed on before the torture is over.
    AITBC_COORDINATOR__LEASE_SECONDS: "3",
    AITBC_COORDINATOR__RECONNECT_GRACE_SECONDS: "0",
    // Writing moves to its thread within a short life: kills come before, while, and after it does.
    AITBC_DATABASE__WRITER_BUSY_MS: "15",
  },
  readyMessage: "listening",
  findings,
});

const readKey = (kind: "client" | "miner"): string =>
  readFileSync(join(dataDir, "keys", `${kind}.key`), "utf8").trim();
const publicKeyIn = (file: string): string =>
  toBase64Url(publicKeyOf(new SecretKey(Buffer.from(readFileSync(file, "utf8").trim(), "hex"))));

/** A promise that fails when it takes too long: the torture always ends. */
async function within<T>(promise: Promise<T>, ms: number, what: string): Promise<T> {
  const timer = new AbortController();
  const late = sleep(ms, undefined, timer).then(
    () => {
      throw new Error(`${what} took longer than ${ms / 1000} s`);
    },
    () => new Promise<never>(() => {}),
  );
  try {
    return await Promise.race([promise, late]);
  } finally {
    timer.abort();
  }
}

/** Resolves with the next piece of text that a reader sees. */
let flow = Promise.withResolvers<void>();

function startMiner(apiKey: string): Program {
  const args = [
    "miner",
    "start",
    "--url",
    url,
    "--data-dir",
    minerDir,
    "--engine",
    "builtin",
    "--slots",
    "2",
  ];
  const env = { ...cache, AITBC_API_KEY: apiKey, AITBC_LOG__FORMAT: "json" };
  const program = new Program({ name: "miner", args, env, readyMessage: "listening", findings });
  program.start();
  return program;
}

interface Party {
  readonly clients: Clients;
  readonly miners: readonly ScriptedMiner[];
  readonly realMiner: Program;
}

function startParty(): Party {
  const apiKey = readKey("miner");
  const ready = (): Promise<void> => daemon.ready;
  const miners = [false, true].map(
    (flaky, index) =>
      new ScriptedMiner({
        url,
        apiKey,
        name: flaky ? "flaky" : "steady",
        flaky,
        seed: seed + index + 1,
        findings,
        coordinatorReady: ready,
      }),
  );
  for (const miner of miners) miner.start();
  const onText = (): void => flow.resolve();
  const clients = new Clients({ url, apiKey: readKey("client"), seed, findings, daemonReady: ready, onText });
  clients.start(CLIENTS);
  return { clients, miners, realMiner: startMiner(apiKey) };
}

/** Kills the daemon and starts it anew; returns the leases that were being worked on. */
async function killOnce({ miners }: Party): Promise<number> {
  if (random.once(EARLY_ONE_IN)) await sleep(random.below(MAX_EARLY_MS));
  else {
    await within(daemon.ready, FLOW_TIMEOUT_MS, "starting the daemon");
    flow = Promise.withResolvers<void>();
    await within(flow.promise, FLOW_TIMEOUT_MS, "the first text after a start");
    await sleep(random.below(MAX_LIFE_MS));
  }
  const inFlight = miners.reduce((sum, miner) => sum + miner.busy, 0);
  await daemon.kill();
  daemon.start();
  return inFlight;
}

/** Lets everything end, asks for every job once more, and stops all parts. */
async function drain({ clients, miners, realMiner }: Party): Promise<void> {
  clients.finish();
  for (const miner of miners) miner.finish();
  await within(clients.done(), DRAIN_TIMEOUT_MS, "finishing all jobs");
  await within(clients.repeatAll(), DRAIN_TIMEOUT_MS, "asking for all jobs again");
  for (const miner of miners) await miner.stop();
  await realMiner.stop();
  await daemon.stop();
}

function signerKeys({ miners }: Party): SignerKeys {
  return {
    coordinatorKeys: [publicKeyIn(join(dataDir, "coordinator", "identity.key"))],
    minerKeys: [
      ...miners.map(({ publicKey }) => toBase64Url(publicKey)),
      publicKeyIn(join(minerDir, "miner", "identity.key")),
    ],
  };
}

async function torture(): Promise<string> {
  daemon.start();
  // Identity, keys and schema are made at the first start: a kill may leave any part of them.
  if (kills > 0) {
    await sleep(random.below(MAX_FIRST_MS));
    await daemon.kill();
    daemon.start();
  }
  await within(daemon.ready, FLOW_TIMEOUT_MS, "the first start of the daemon");
  const party = startParty();
  let inFlight = 0;
  for (let kill = 1; kill <= kills; kill++) {
    inFlight += await killOnce(party);
    if (kill % MINER_KILL_EVERY !== 0) continue;
    await party.realMiner.kill();
    party.realMiner.start();
  }
  await drain(party);
  const { jobs } = party.clients;
  const totals = await verifyDatabase(join(dataDir, "aitbc.db"), jobs, signerKeys(party), findings);
  const mean = (inFlight / Math.max(1, kills)).toFixed(0);
  return `${kills} kills with ${mean} leases in flight on average; ${totals.jobs} jobs, ${totals.continued} of them over several leases, ${totals.segments} segments, ${totals.receipts} receipts, ${totals.bytes} bytes`;
}

let summary = "";
try {
  summary = await torture();
} catch (error) {
  findings.add(error instanceof Error ? (error.stack ?? error.message) : String(error));
}
const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
const [program] = aitbcCommand();
for (const line of findings.lines()) console.error(`✗ ${line}`);
if (findings.count === 0)
  console.log(`torture: ${summary}; nothing lost (${seconds} s, seed ${seed}, ${program})`);
else
  console.error(
    `torture: ${findings.count} findings after ${seconds} s; again with: --kills ${kills} --seed ${seed}`,
  );
const isKept = values.keep || (findings.count > 0 && !values.discard);
if (isKept) console.error(`the data directory is ${dataDir}`);
else rmSync(directory, { recursive: true, force: true });
// Streams and sockets of a torture that was broken off must not keep it alive.
process.exit(findings.count === 0 ? 0 : 1);
