import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { type Client, createClient } from "../../src/client/client.ts";
import type { KeyKind } from "../../src/wire/access.ts";
import { BINARY, isFresh } from "./binary.ts";

const ROOT = join(import.meta.dirname, "../..");
/** How long a daemon may take to be ready, in ms: the first start of a single file unpacks its libraries. */
const READY_MS = 20_000;
/** Longest pause between two looks at /readyz, in ms. */
const POLL_MS = 20;
/** Longest run of one command, in ms. */
const COMMAND_MS = 25_000;

/** Whether the single file is what these tests run; else it is the source, because no file was built from it. */
export const SINGLE_FILE = isFresh();
const PROGRAM: readonly [string, ...string[]] = SINGLE_FILE
  ? [BINARY]
  : [process.execPath, join(ROOT, "src/main.ts")];

export interface Finished {
  /** Exit code; null for a process that a signal ended. */
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

interface RunOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly input?: string;
}

/** One running process of the program, and what it wrote. */
export class Running {
  readonly child: ChildProcess;
  readonly #stdout: Buffer[] = [];
  readonly #stderr: Buffer[] = [];
  readonly #ended: Promise<Finished>;
  #changed = Promise.withResolvers<void>();

  constructor(child: ChildProcess) {
    this.child = child;
    child.stdout?.on("data", (part: Buffer) => this.#add(this.#stdout, part));
    child.stderr?.on("data", (part: Buffer) => this.#add(this.#stderr, part));
    this.#ended = once(child, "close").then(([code, signal]) => {
      this.#changed.resolve();
      return { code, signal, stdout: this.stdout, stderr: this.stderr };
    });
  }

  get pid(): number {
    // A child without an id has not started, and `once` has rejected then.
    return this.child.pid ?? 0;
  }

  get stdout(): string {
    return Buffer.concat(this.#stdout).toString();
  }

  get stderr(): string {
    return Buffer.concat(this.#stderr).toString();
  }

  get ended(): Promise<Finished> {
    return this.#ended;
  }

  get alive(): boolean {
    return this.child.exitCode === null && this.child.signalCode === null;
  }

  signal(name: NodeJS.Signals): void {
    this.child.kill(name);
  }

  /** The first match in what was written to stderr, now or later. */
  match(pattern: RegExp): Promise<RegExpExecArray> {
    return this.#await(pattern, () => this.stderr);
  }

  /** The first match in what was written to stdout, now or later. */
  matchOutput(pattern: RegExp): Promise<RegExpExecArray> {
    return this.#await(pattern, () => this.stdout);
  }

  async #await(pattern: RegExp, written: () => string): Promise<RegExpExecArray> {
    for (;;) {
      const found = pattern.exec(written());
      if (found) return found;
      if (!this.alive) throw new Error(`ended before ${pattern}: ${this.stderr}`);
      await this.#changed.promise;
    }
  }

  #add(to: Buffer[], part: Buffer): void {
    to.push(part);
    this.#changed.resolve();
    this.#changed = Promise.withResolvers<void>();
  }
}

/** A daemon in a process of its own. */
export class Served {
  readonly process: Running;
  readonly url: string;
  readonly #sandbox: Sandbox;

  constructor(process: Running, url: string, sandbox: Sandbox) {
    this.process = process;
    this.url = url;
    this.#sandbox = sandbox;
  }

  client(kind: KeyKind = "client"): Client {
    return createClient({ url: this.url, apiKey: this.#sandbox.key(kind), timeoutMs: COMMAND_MS });
  }

  /** Asks the daemon to stop and waits until it has. */
  async stop(signal: NodeJS.Signals = "SIGTERM"): Promise<Finished> {
    this.process.signal(signal);
    return this.process.ended;
  }
}

/**
 * A machine of its own, as far as the program can see: a home directory, and an environment that holds nothing
 * of this one's. Disposing of it ends every process that was started in it.
 */
export class Sandbox implements AsyncDisposable {
  readonly home = mkdtempSync(join(tmpdir(), "aitbc-home-"));
  readonly #processes: Running[] = [];

  get dataDir(): string {
    return join(this.home, ".local/share/aitbc");
  }

  key(kind: KeyKind): string {
    return readFileSync(join(this.dataDir, "keys", `${kind}.key`), "utf8").trim();
  }

  spawn(args: readonly string[], { env = {}, input }: RunOptions = {}): Running {
    const running = this.#start([...PROGRAM, ...args], env);
    running.child.stdin?.end(input ?? "");
    return running;
  }

  /** Runs a command on a terminal of its own; what is written to the child's stdin is typed there. */
  spawnOnTerminal(args: readonly string[], { env = {} }: Pick<RunOptions, "env"> = {}): Running {
    const command = [...PROGRAM, ...args].map((part) => `'${part}'`).join(" ");
    return this.#start(["script", "-qec", `exec ${command}`, "/dev/null"], { TERM: "xterm", ...env });
  }

  #start([command = "", ...args]: readonly string[], env: Readonly<Record<string, string>>): Running {
    const child = spawn(command, args, {
      cwd: this.home,
      env: { HOME: this.home, PATH: "/usr/bin:/bin", ...env },
      stdio: ["pipe", "pipe", "pipe"],
    });
    child.stdin?.on("error", () => {});
    const running = new Running(child);
    this.#processes.push(running);
    return running;
  }

  /** Runs a command to its end. */
  async run(args: readonly string[], options: RunOptions = {}): Promise<Finished> {
    const running = this.spawn(args, options);
    const timer = setTimeout(() => running.signal("SIGKILL"), COMMAND_MS);
    try {
      return await running.ended;
    } finally {
      clearTimeout(timer);
    }
  }

  /** Starts `aitbc serve` on a free port and waits until it is ready. Commands in this sandbox need `--url`. */
  async serve(args: readonly string[] = [], options: RunOptions = {}): Promise<Served> {
    const running = this.spawn(["serve", "--port", "0", "--log-format", "json", ...args], options);
    const [, url = ""] = await running.match(/"url":"(http:[^"]+)"/);
    const deadline = performance.now() + READY_MS;
    // Readiness is asked for, not told: this is the one place that looks again after a while.
    while (!(await isReady(url))) {
      if (performance.now() > deadline) throw new Error(`not ready in time: ${running.stderr}`);
      await sleep(POLL_MS);
    }
    return new Served(running, url, this);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const running of this.#processes) {
      if (running.alive) running.signal("SIGKILL");
      await running.ended.catch(() => undefined);
    }
    rmSync(this.home, { recursive: true, force: true });
  }
}

async function isReady(url: string): Promise<boolean> {
  const response = await fetch(`${url}/readyz`).catch(() => undefined);
  await response?.body?.cancel();
  return response?.status === 200;
}
