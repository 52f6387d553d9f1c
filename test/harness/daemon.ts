import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import Sqlite from "better-sqlite3";
import { onTestFinished } from "vitest";
import { type Daemon, startDaemon } from "../../src/app/daemon.ts";
import { type Client, createClient } from "../../src/client/client.ts";
import { dataPaths } from "../../src/config/data-paths.ts";
import { loadConfig } from "../../src/config/load.ts";
import type { Config } from "../../src/config/schema.ts";
import { fromHex } from "../../src/crypto/bytes.ts";
import { SecretKey } from "../../src/crypto/ed25519.ts";
import { keyIdOf } from "../../src/domain/receipt/sign.ts";
import type { Clock } from "../../src/kernel/clock.ts";
import { createLog } from "../../src/kernel/log.ts";
import { KEY_KINDS, type KeyKind } from "../../src/wire/access.ts";

/** Longest wait of a test's client for one answer, in ms. */
const TIMEOUT_MS = 20_000;

export interface DaemonSetup {
  /** Settings by dotted key, over those of `settings` below. */
  readonly settings?: Readonly<Record<string, string>>;
  readonly clock?: Clock;
  /** Directory of an earlier daemon; absent: a fresh one, removed with this daemon. */
  readonly dataDir?: string;
  /** The command of the wallet's processes that hold keys; absent: the product's. */
  readonly signer?: readonly string[];
}

/** What every daemon of the flow tests has: only what a test names differs from it. */
const SETTINGS: Readonly<Record<string, string>> = {
  roles: "coordinator",
  env: "test",
  "http.host": "127.0.0.1",
  "http.port": "0",
  "log.level": "silent",
  stop_seconds: "5",
  "miner.drain_seconds": "0",
  // The discard port, where nothing listens: a test must not find the Ollama of the machine that it runs on.
  "miner.engines.ollama.url": "http://127.0.0.1:9",
};

function testConfig(dataDir: string, settings: Readonly<Record<string, string>>): Config {
  const values = { ...SETTINGS, data_dir: dataDir, cache_dir: join(dataDir, "cache"), ...settings };
  return loadConfig({
    env: { HOME: dataDir },
    cwd: dataDir,
    flags: Object.entries(values).map(([key, text]) => ({ key, text, flag: "test" })),
    file: null,
  }).config;
}

/** A real daemon in this process: its store, its listener and its roles are the ones that `aitbc serve` runs. */
export class TestDaemon implements AsyncDisposable {
  readonly dataDir: string;
  readonly daemon: Daemon;
  readonly keys: Readonly<Record<KeyKind, string>>;
  /** Clients with the keys that the first start wrote. */
  readonly client: Client;
  readonly admin: Client;
  readonly #setup: DaemonSetup;
  readonly #ownsDirectory: boolean;

  private constructor(daemon: Daemon, dataDir: string, setup: DaemonSetup, keys: Record<KeyKind, string>) {
    this.daemon = daemon;
    this.dataDir = dataDir;
    this.keys = keys;
    this.#setup = setup;
    this.#ownsDirectory = setup.dataDir === undefined;
    this.client = this.clientWith(keys.client);
    this.admin = this.clientWith(keys.admin);
  }

  /** Starts a daemon; the caller disposes of it. */
  static async start(setup: DaemonSetup = {}): Promise<TestDaemon> {
    const dataDir = setup.dataDir ?? mkdtempSync(join(tmpdir(), "aitbc-daemon-"));
    const config = testConfig(dataDir, setup.settings ?? {});
    const log = createLog({ level: config.log.level, format: "json", terminal: false });
    const { clock, signer } = setup;
    const daemon = await startDaemon({ config, log, ...(clock && { clock }), ...(signer && { signer }) });
    const keyFile = dataPaths(dataDir).keyFile;
    const hasKeys = config.roles.includes("coordinator");
    const entries = KEY_KINDS.map((kind) => [
      kind,
      hasKeys ? readFileSync(keyFile(kind), "utf8").trim() : "",
    ]);
    // The entries are made from the kinds.
    return new TestDaemon(daemon, dataDir, setup, Object.fromEntries(entries) as Record<KeyKind, string>);
  }

  get url(): string {
    return this.daemon.url;
  }

  clientWith(apiKey: string): Client {
    return createClient({ url: this.url, apiKey, timeoutMs: TIMEOUT_MS });
  }

  /** A client of somebody else. */
  async stranger(): Promise<Client> {
    return this.clientWith((await this.admin.createKey({ kind: "client", name: "stranger" })).key);
  }

  /** The coordinator's public key as receipts name it. */
  get coordinatorKey(): string {
    const secret = readFileSync(dataPaths(this.dataDir).coordinatorIdentity, "utf8").trim();
    return keyIdOf(new SecretKey(fromHex("key", secret)).publicKey);
  }

  /** Committed rows, as another connection sees them. */
  query<Row>(sql: string, ...values: readonly (string | number)[]): Row[] {
    const witness = new Sqlite(join(this.dataDir, "aitbc.db"), { readonly: true });
    try {
      // The caller names the columns in its statement and their types in Row.
      return witness.prepare(sql).all(...values) as Row[];
    } finally {
      witness.close();
    }
  }

  /** Changes rows of the stopped daemon, as another version of the program may have left them. */
  change(sql: string, ...values: readonly (string | number)[]): void {
    const raw = new Sqlite(join(this.dataDir, "aitbc.db"));
    try {
      raw.prepare(sql).run(...values);
    } finally {
      raw.close();
    }
  }

  /** Number of rows of every table. */
  rowCounts(): Record<string, number> {
    const tables = this.query<{ name: string }>("select name from sqlite_master where type = 'table'");
    const count = (name: string): number =>
      this.query<{ n: number }>(`select count(*) as n from "${name}"`)[0]?.n ?? 0;
    return Object.fromEntries(tables.map(({ name }) => [name, count(name)]));
  }

  /** A value of /metrics; labels as they are written there. */
  async metric(name: string): Promise<number> {
    const text = await (await fetch(`${this.url}/metrics`)).text();
    const line = text.split("\n").find((one) => one.startsWith(`${name} `) || one.startsWith(`${name}{`));
    return Number(line?.slice(line.lastIndexOf(" ")) ?? Number.NaN);
  }

  /** Stops the process's part and starts a new one on the same directory and port, as a restart would. */
  async restart(settings: Readonly<Record<string, string>> = {}): Promise<TestDaemon> {
    await this.daemon.stop();
    const port = new URL(this.url).port;
    const next = await TestDaemon.start({
      ...this.#setup,
      settings: { ...this.#setup.settings, ...settings, "http.port": port },
      dataDir: this.dataDir,
    });
    onTestFinished(() => next[Symbol.asyncDispose]());
    return next;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.daemon.stop();
    if (this.#ownsDirectory) rmSync(this.dataDir, { recursive: true, force: true });
  }
}

/** Starts a daemon that ends with the test. */
export async function bootDaemon(setup: DaemonSetup = {}): Promise<TestDaemon> {
  const daemon = await TestDaemon.start(setup);
  onTestFinished(() => daemon[Symbol.asyncDispose]());
  return daemon;
}

/** Starts a miner with the real built-in engine, in a daemon of its own that dials the given one. */
export function bootMiner(
  coordinator: TestDaemon,
  settings: Readonly<Record<string, string>> = {},
): Promise<TestDaemon> {
  return bootDaemon({
    settings: {
      roles: "miner",
      "miner.coordinator_url": coordinator.url,
      "client.api_key": coordinator.keys.miner,
      ...settings,
    },
  });
}
