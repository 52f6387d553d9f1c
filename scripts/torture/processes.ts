import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, globSync, statSync } from "node:fs";
import { createServer } from "node:net";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { COMPILE_CACHE } from "../lib/compile-cache.ts";
import type { Findings } from "./findings.ts";

const ROOT = resolve(import.meta.dirname, "../..");
const BINARY = join(ROOT, "dist/aitbc");
/** Lines of a process's log that are kept to explain its unexpected end. */
const KEPT_LINES = 20;
/** pino's level of an error. */
const LEVEL_ERROR = 50;

/** Program and arguments of `aitbc`: the executable when it was built from the sources as they are, else those. */
export function aitbcCommand(): readonly string[] {
  const sources = ["src/**/*.ts", "package-lock.json", "esbuild.config.ts"];
  const newest = Math.max(
    ...globSync(sources, { cwd: ROOT }).map((file) => statSync(join(ROOT, file)).mtimeMs),
  );
  const isFresh = existsSync(BINARY) && statSync(BINARY).mtimeMs > newest;
  return isFresh ? [BINARY] : [process.execPath, join(ROOT, "src/main.ts")];
}

/** A port of the loopback that is free now: the daemon keeps one through all restarts, as a real one does. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  const address = server.address();
  await new Promise<void>((done) => server.close(() => done()));
  if (address === null || typeof address === "string") throw new Error("no port");
  return address.port;
}

/** Children of this process that live now: ended with it, by their own ids, whatever happens. */
const living = new Set<ChildProcess>();
process.on("exit", () => {
  for (const child of living) child.kill("SIGKILL");
});
for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => process.exit(130));

export interface ProgramOptions {
  /** Name in findings. */
  readonly name: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** The log message that says that it is ready. */
  readonly readyMessage: string;
  readonly findings: Findings;
}

/** A real `aitbc` process that can be killed and started again with the same arguments. */
export class Program {
  readonly #options: ProgramOptions;
  readonly #command = aitbcCommand();
  #child: ChildProcess | undefined;
  #ready = Promise.withResolvers<void>();
  #isReady = false;
  #ended = Promise.resolve();
  #expectsEnd = false;

  constructor(options: ProgramOptions) {
    this.#options = options;
  }

  /** Resolves when it is ready: now, or after its next start. */
  get ready(): Promise<void> {
    return this.#ready.promise;
  }

  /** The id of the process that runs; undefined when there is none. */
  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** Resolves when the process has ended; at once when there is none. */
  get ended(): Promise<void> {
    return this.#ended;
  }

  start(): void {
    const [program = "", ...first] = this.#command;
    const child = spawn(program, [...first, ...this.#options.args], {
      cwd: ROOT,
      env: { PATH: process.env["PATH"] ?? "", ...COMPILE_CACHE, ...this.#options.env },
      stdio: ["ignore", "ignore", "pipe"],
    });
    living.add(child);
    this.#child = child;
    this.#expectsEnd = false;
    const lines: string[] = [];
    createInterface({ input: child.stderr }).on("line", (line) => {
      if (lines.push(line) > KEPT_LINES) lines.shift();
      this.#read(line);
    });
    child.on("error", (error) => this.#options.findings.add(`${this.#options.name}: ${error.message}`));
    this.#ended = new Promise((done) => {
      child.on("close", (code, signal) => {
        living.delete(child);
        // Whoever waits already goes on waiting: for the next process.
        if (this.#isReady) this.#ready = Promise.withResolvers<void>();
        this.#isReady = false;
        const { name, findings } = this.#options;
        if (!this.#expectsEnd)
          findings.add(`${name} ended by itself (${code ?? signal}): ${lines.join("\n")}`);
        else if (signal !== "SIGKILL" && code !== 0) findings.add(`${name} stopped with exit code ${code}`);
        done();
      });
    });
  }

  /** Ends the process at once, as a power cut or the kernel would. */
  async kill(): Promise<void> {
    await this.#end("SIGKILL");
  }

  /** Asks the process to stop; it must exit with 0. */
  async stop(): Promise<void> {
    await this.#end("SIGTERM");
  }

  async #end(signal: "SIGKILL" | "SIGTERM"): Promise<void> {
    this.#expectsEnd = true;
    this.#child?.kill(signal);
    await this.#ended;
  }

  /** A line of its log. What it calls an error is a finding: nothing but kills goes wrong here. */
  #read(line: string): void {
    if (!line.startsWith("{")) return;
    const { level, msg } = JSON.parse(line) as { level?: number; msg?: string };
    if (msg === this.#options.readyMessage) {
      this.#isReady = true;
      this.#ready.resolve();
    }
    if ((level ?? 0) >= LEVEL_ERROR) this.#options.findings.add(`${this.#options.name} logged: ${line}`);
  }
}
