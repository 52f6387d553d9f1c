import { readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import type { Findings } from "../torture/findings.ts";
import { freePort } from "../torture/processes.ts";
import { Child } from "./child.ts";
import type { Holdings } from "./messages.ts";

const MAIN = resolve(import.meta.dirname, "../../src/main.ts");
const PROBE = resolve(import.meta.dirname, "probe.ts");
/** pino's level of an error. */
const LEVEL_ERROR = 50;

/** Far above what callers open here: what is soaked is not its limits. */
const LIMITS = {
  AITBC_COORDINATOR__MAX_STREAMS: "10000",
  AITBC_HTTP__RATE_LIMIT_PER_SECOND: "1000000",
  AITBC_HTTP__RATE_LIMIT_BURST: "1000000",
  AITBC_HTTP__MAX_CONNECTIONS: "20000",
};

/** `aitbc serve` from the sources, with the probe in its process. What it logs as an error is a finding. */
export class SoakDaemon {
  readonly url: string;
  readonly #child: Child;
  readonly #dataDir: string;
  readonly #ready = Promise.withResolvers<void>();

  private constructor(directory: string, port: number, findings: Findings) {
    this.url = `http://127.0.0.1:${port}`;
    this.#dataDir = join(directory, "data");
    const flags = ["--roles", "coordinator", "--port", `${port}`, "--data-dir", this.#dataDir];
    this.#child = new Child({
      name: "daemon",
      file: MAIN,
      args: ["serve", ...flags, "--log-format", "json"],
      execArgv: ["--expose-gc", "--import", PROBE],
      env: { HOME: directory, AITBC_CACHE_DIR: join(directory, "cache"), ...LIMITS },
      findings,
      onLine: (line) => {
        if (!line.startsWith("{")) return;
        const { level, msg } = JSON.parse(line) as { level?: number; msg?: string };
        if (msg === "listening") this.#ready.resolve();
        if ((level ?? 0) >= LEVEL_ERROR) findings.add(`the daemon logged: ${line}`);
      },
    });
  }

  static async start(directory: string, findings: Findings): Promise<SoakDaemon> {
    const daemon = new SoakDaemon(directory, await freePort(), findings);
    await daemon.#ready.promise;
    return daemon;
  }

  key = (kind: "client" | "miner"): string =>
    readFileSync(join(this.#dataDir, "keys", `${kind}.key`), "utf8").trim();

  get openFiles(): number {
    return readdirSync(`/proc/${this.#child.pid}/fd`).length;
  }

  look(): Promise<Holdings> {
    return this.#child.ask<Holdings>({});
  }

  stop(): Promise<void> {
    return this.#child.stop();
  }
}
