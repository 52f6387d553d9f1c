import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { aitbcCommand, freePort } from "../../torture/processes.ts";
import { start, waitReady } from "../queue/program.ts";

/** A program under measurement, and how it is asked for a chat completion. */
export interface Server {
  readonly child: ChildProcess;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
}

/** The version that is compared with. */
const PORTKEY = "@portkey-ai/gateway@1.15.2";
const PATIENCE_MS = 120_000;
/** Answers begin after 50 ms and go on with 50 pieces a second: a fast engine. */
const FIRST_MS = 50;
const TOKEN_MS = 20;
const TOKENS = 50;
/** A miner may run so many jobs at once. */
const SLOTS = 256;

export async function startUpstream(): Promise<Server> {
  const program = join(import.meta.dirname, "upstream.ts");
  const child = start([process.execPath, program, ...[FIRST_MS, TOKEN_MS, TOKENS].map(String)], {});
  const [port] = await once(child.stdout ?? child, "data", { signal: AbortSignal.timeout(PATIENCE_MS) });
  return { child, url: `http://127.0.0.1:${String(port).trim()}/v1/chat/completions`, headers: {} };
}

/** The daemon with some roles. */
async function startDaemon(
  directory: string,
  roles: string,
  env: Readonly<Record<string, string>>,
): Promise<Server & { readonly minerKey: string }> {
  const port = await freePort();
  const dataDir = join(directory, "data");
  const flags = ["--roles", roles, "--port", String(port), "--data-dir", dataDir, "--log-level", "warn"];
  const child = start([...aitbcCommand(), "serve", ...flags], {
    HOME: directory,
    AITBC_CACHE_DIR: join(directory, "cache"),
    AITBC_HTTP__RATE_LIMIT_PER_SECOND: "100000",
    AITBC_HTTP__RATE_LIMIT_BURST: "1000000",
    ...env,
  });
  await waitReady(port, child);
  const key = (kind: string): string => readFileSync(join(dataDir, `keys/${kind}.key`), "utf8").trim();
  return {
    child,
    url: `http://127.0.0.1:${port}/v1/chat/completions`,
    headers: { authorization: `Bearer ${key("client")}` },
    minerKey: key("miner"),
  };
}

/** A coordinator alone: miners come from outside. */
export function startCoordinator(directory: string): Promise<Server & { readonly minerKey: string }> {
  return startDaemon(directory, "coordinator", {});
}

/** The daemon with durable jobs and receipts on, and a miner in it whose engine is the upstream. */
export function startAitbc(directory: string, upstream: Server): Promise<Server> {
  return startDaemon(directory, "coordinator,miner", {
    AITBC_MINER__ENGINE: "openai",
    AITBC_MINER__ENGINES__OPENAI__URL: upstream.url.replace("/chat/completions", ""),
    AITBC_MINER__SLOTS: String(SLOTS),
  });
}

/** Installs the gateway that is compared with into a directory; it is no dependency of the project. */
export async function installPortkey(directory: string): Promise<void> {
  // With this shell's whole environment: it says how the registry is reached.
  const npm = spawn(
    "npm",
    ["install", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix", directory, PORTKEY],
    {
      stdio: ["ignore", "ignore", "inherit"],
    },
  );
  const [code] = await once(npm, "close", { signal: AbortSignal.timeout(PATIENCE_MS) });
  if (code !== 0) throw new Error(`${PORTKEY} cannot be installed`);
}

export async function startPortkey(directory: string, upstream: Server): Promise<Server> {
  const port = await freePort();
  const program = join(directory, "node_modules/@portkey-ai/gateway/build/start-server.js");
  const shim = join(import.meta.dirname, "mutable-headers.mjs");
  const command = [process.execPath, "--import", shim, program, `--port=${port}`, "--headless"];
  const child = start(command, { HOME: directory });
  const base = `http://127.0.0.1:${port}`;
  const end = performance.now() + PATIENCE_MS;
  while (
    !(await fetch(base).then(
      () => true,
      () => false,
    ))
  ) {
    if (child.exitCode !== null || performance.now() > end) throw new Error("the gateway does not answer");
    await sleep(50);
  }
  return {
    child,
    url: `${base}/v1/chat/completions`,
    headers: {
      authorization: "Bearer bench",
      "x-portkey-provider": "openai",
      "x-portkey-custom-host": upstream.url.replace("/chat/completions", ""),
    },
  };
}
