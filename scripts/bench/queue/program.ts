/** Programs that are measured from outside, as their user meets them. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { get } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";

/** How often a starting daemon is asked whether it is ready, in ms: finer than what is told apart. */
const POLL_MS = 2;
/** A program that is not ready, or not gone, by then hangs, in ms. */
const PATIENCE_MS = 30_000;

const living = new Set<ChildProcess>();
process.on("exit", () => {
  for (const child of living) child.kill("SIGKILL");
});

/** Last part of what a program logged, shown when it fails. */
const KEPT_LOG = 2_000;

/** Starts a program with nothing of this shell's environment but its path. */
export function start(command: readonly string[], env: Readonly<Record<string, string>>): ChildProcess {
  const [program = "", ...args] = command;
  const child = spawn(program, args, {
    env: { PATH: process.env["PATH"] ?? "", ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  living.add(child);
  let log = "";
  child.stderr?.on("data", (chunk: Buffer) => {
    log = (log + chunk.toString()).slice(-KEPT_LOG);
  });
  child.once("close", (code) => {
    living.delete(child);
    if (code !== 0 && code !== null) console.error(log);
  });
  return child;
}

/** Asks a program to stop and waits for its end. */
export async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, "exit", { signal: AbortSignal.timeout(PATIENCE_MS) });
  child.kill("SIGTERM");
  await ended;
}

/** Runs a program to its end; its stdout. Throws when it fails. */
export async function run(
  command: readonly string[],
  env: Readonly<Record<string, string>>,
): Promise<string> {
  const child = start(command, env);
  let output = "";
  child.stdout?.on("data", (chunk: Buffer) => {
    output += chunk.toString();
  });
  const [code] = await once(child, "close");
  if (code !== 0) throw new Error(`${command[0]} ended with ${code}`);
  return output;
}

function status(url: string): Promise<number> {
  return new Promise((resolve) => {
    get(url, (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    }).on("error", () => resolve(0));
  });
}

/** Resolves with the first 200 of `/readyz`. */
export async function waitReady(port: number, child: ChildProcess): Promise<void> {
  const end = performance.now() + PATIENCE_MS;
  while ((await status(`http://127.0.0.1:${port}/readyz`)) !== 200) {
    if (child.exitCode !== null || performance.now() > end) throw new Error("the daemon does not get ready");
    await sleep(POLL_MS);
  }
}
