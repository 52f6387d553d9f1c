import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Daemon, startDaemon } from "../../app/daemon.ts";
import { createAppMeters } from "../../app/meters.ts";
import { type Client, createClient } from "../../client/client.ts";
import { findApiKey } from "../../config/api-key.ts";
import { loadConfig } from "../../config/load.ts";
import type { Config } from "../../config/schema.ts";
import { parseReceipt } from "../../domain/receipt/parse.ts";
import { type Verification, verifyReceipt } from "../../domain/receipt/verify.ts";
import { AppError } from "../../kernel/errors.ts";
import { type Io, writeLine } from "../io.ts";
import type { GlobalOptions } from "../options.ts";
import { programName } from "../program-name.ts";
import { painter } from "../style.ts";
import { TextSink } from "./answer/sink.ts";
import { followJob } from "./follow.ts";
import { readIdentities } from "./identities.ts";
import { outcomeError } from "./outcome.ts";
import { summarizeReceipt } from "./receipts.ts";
import { createDaemonLog, listenForStop, type StopRequest } from "./run-daemon.ts";

export interface DemoOptions extends GlobalOptions {
  readonly prompt: string;
  readonly stay?: boolean;
  readonly json?: boolean;
}

/** Longest wait for one answer of the demo's own daemon, in ms. */
const TIMEOUT_MS = 30_000;
/** How long the demo's daemon may take to stop, in seconds: nothing runs by then. */
const STOP_SECONDS = 2;

/** What a demo has shown. */
interface Shown {
  readonly answer: string;
  readonly state: string;
  readonly receipt_verified: boolean;
  readonly first_token_ms: number | null;
  readonly total_ms: number;
}

/** A configuration that knows nothing of this machine's own, but for the cache of unpacked files. */
function demoConfig(io: Io, dataDir: string): Config {
  const { AITBC_CACHE_DIR, HOME, XDG_CACHE_HOME } = io.env;
  const values: Readonly<Record<string, string>> = {
    data_dir: dataDir,
    roles: "coordinator,miner",
    env: "demo",
    "http.host": "127.0.0.1",
    "http.port": "0",
    "log.level": "warn",
    stop_seconds: String(STOP_SECONDS),
    // The demo shows that the machinery works; another engine of this machine might load its model for minutes.
    "miner.engine": "builtin",
  };
  return loadConfig({
    env: { AITBC_CACHE_DIR, HOME, XDG_CACHE_HOME },
    cwd: io.cwd,
    flags: Object.entries(values).map(([key, text]) => ({ key, text, flag: "aitbc demo" })),
    file: null,
  }).config;
}

/** Checks the job's receipt with the keys of this demo's own two sides, and nothing that came with it. */
async function verifyOffline(
  client: Client,
  jobId: string,
  answer: string,
  dataDir: string,
): Promise<Verification> {
  const receipt = await client.getReceipt(jobId);
  const identities = await readIdentities(dataDir);
  const keysOf = (role: string): string[] =>
    identities.filter((one) => one.role === role).map((one) => one.public_key);
  return verifyReceipt(
    parseReceipt(JSON.stringify(receipt)),
    { output: new TextEncoder().encode(answer), meters: createAppMeters() },
    { coordinatorKeys: keysOf("coordinator"), minerKeys: keysOf("miner") },
  );
}

/** Puts one prompt through the whole network. */
async function showJob(
  io: Io,
  client: Client,
  options: DemoOptions,
  config: Config,
  signal: AbortSignal,
): Promise<Shown> {
  const paint = painter(io.stderr, io.env);
  const say = (line: string): void => writeLine(io.stderr, line, (text) => paint("dim", text));
  say(`prompt: ${options.prompt}`);
  const job = { payload: { type: "inference" as const, prompt: options.prompt } };
  const { job_id } = await client.submitJob(job, { signal });
  const { output, end, firstTextMs } = await followJob(io, client, job_id, {
    ...(!options.json && { sink: new TextSink(io) }),
    signal,
  });
  const { text } = output;
  if (!options.json && !io.stdout.isTTY) io.stdout.write("\n");
  const failure = outcomeError(job_id, end.state, end.error);
  if (failure) throw failure;
  const receipt = await client.getReceipt(job_id);
  const { verdict, lines } = await verifyOffline(client, job_id, text, config.data_dir);
  const shown = {
    answer: text,
    state: end.state,
    receipt_verified: verdict === "verified",
    first_token_ms: firstTextMs === null ? null : Math.round(firstTextMs),
    total_ms: Math.round(io.uptimeMs()),
  };
  say(summarizeReceipt(receipt));
  for (const { check, status, detail } of lines) {
    if (status === "failed") writeLine(io.stderr, `✗ ${check}: ${detail}`, (line) => paint("red", line));
  }
  if (shown.receipt_verified) {
    writeLine(io.stderr, `✓ receipt verified offline: miner and coordinator signed this answer`, (line) =>
      paint("green", line),
    );
  }
  say(`first token after ${shown.first_token_ms ?? "-"} ms, everything after ${shown.total_ms} ms`);
  return shown;
}

function sayNext(io: Io, daemon: Daemon, dataDir: string, stay: boolean): void {
  const name = programName(io);
  const lines = stay
    ? [
        `it runs on at ${daemon.url} (docs: ${daemon.url}/docs) until Ctrl-C; in another terminal:`,
        `  ${name} --url ${daemon.url} --data-dir ${dataDir} client submit --prompt "Tell me a story about a fox"`,
      ]
    : [
        "where to go next:",
        `  ${name} serve`,
        `  ${name} client submit --prompt "Tell me a story about a fox"   # in another terminal`,
      ];
  for (const line of ["", ...lines]) writeLine(io.stderr, line);
}

async function runIn(io: Io, options: DemoOptions, dataDir: string, stop: StopRequest): Promise<number> {
  const abort = new AbortController();
  stop.asked.then(() => abort.abort());
  const config = demoConfig(io, dataDir);
  const daemon = await startDaemon({ config, log: createDaemonLog(io, config, options) });
  try {
    if (abort.signal.aborted) throw new AppError("INTERRUPTED", "interrupted");
    const client_key = await findApiKey(config, "client", daemon.url);
    const client = createClient({ url: daemon.url, apiKey: client_key, timeoutMs: TIMEOUT_MS });
    const shown = await showJob(io, client, options, config, abort.signal);
    sayNext(io, daemon, dataDir, options.stay === true);
    const more = options.stay ? { url: daemon.url, client_key } : {};
    if (options.json) io.stdout.write(`${JSON.stringify({ ...shown, ...more })}\n`);
    if (!shown.receipt_verified) throw new AppError("INVALID_RECEIPT", "the receipt does not verify");
    if (!options.stay) return 0;
    const ended = await Promise.race([stop.asked, daemon.failed]);
    if (typeof ended !== "string") throw ended;
    return 0;
  } finally {
    await daemon.stop();
  }
}

/**
 * Shows the whole network at work in a directory of its own, and leaves nothing behind, also after Ctrl-C.
 * Returns the exit code.
 */
export async function runDemo(io: Io, options: DemoOptions): Promise<number> {
  const stop = listenForStop(io);
  const dataDir = await mkdtemp(join(tmpdir(), "aitbc-demo-"));
  try {
    return await runIn(io, options, dataDir, stop);
  } finally {
    await rm(dataDir, { recursive: true, force: true });
    stop.dispose();
  }
}
