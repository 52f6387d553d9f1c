import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { COMPILE_CACHE } from "../lib/compile-cache.ts";
import type { Findings } from "../torture/findings.ts";

/** Lines of a process's log that are kept to explain its unexpected end. */
const KEPT_LINES = 20;

/** Children that live now: ended with this process, by their own ids, whatever happens. */
const living = new Set<ChildProcess>();
process.on("exit", () => {
  for (const child of living) child.kill("SIGKILL");
});

interface ChildOptions {
  readonly name: string;
  readonly file: string;
  readonly args: readonly string[];
  readonly execArgv?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly findings: Findings;
  readonly onLine?: (line: string) => void;
}

/** A process of the soak. It answers each message with one; its end before `stop` is a finding. */
export class Child {
  readonly #child: ChildProcess;
  readonly #closed: Promise<unknown>;
  #expectsEnd = false;

  constructor({ name, file, args, execArgv = [], env = {}, findings, onLine }: ChildOptions) {
    this.#child = fork(file, [...args], {
      execArgv: [...execArgv],
      env: { PATH: process.env["PATH"] ?? "", ...COMPILE_CACHE, ...env },
      stdio: ["ignore", "ignore", "pipe", "ipc"],
    });
    living.add(this.#child);
    this.#closed = once(this.#child, "close");
    const lines: string[] = [];
    if (this.#child.stderr) {
      createInterface({ input: this.#child.stderr }).on("line", (line) => {
        if (lines.push(line) > KEPT_LINES) lines.shift();
        onLine?.(line);
      });
    }
    this.#child.on("error", (error) => findings.add(`${name}: ${error.message}`));
    this.#child.on("close", (code, signal) => {
      living.delete(this.#child);
      if (!this.#expectsEnd) findings.add(`${name} ended by itself (${code ?? signal}): ${lines.join("\n")}`);
      else if (code !== 0) findings.add(`${name} stopped with ${code ?? signal}`);
    });
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** Sends a message; its answer. @throws when the process ends before it answers */
  async ask<Answer>(message: object): Promise<Answer> {
    const gone = this.#closed.then((): never => {
      throw new Error("a process ended before it answered");
    });
    const answered = once(this.#child, "message");
    this.#child.send(message);
    const [answer] = await Promise.race([answered, gone]);
    // Both ends are the soak's own.
    return answer as Answer;
  }

  /** Asks it to stop; it must end with 0. */
  async stop(): Promise<void> {
    this.#expectsEnd = true;
    this.#child.kill("SIGTERM");
    await this.#closed;
  }
}
