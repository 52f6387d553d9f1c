import { mkdir } from "node:fs/promises";
import { dirname } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { AppError } from "../../kernel/errors.ts";
import { probeOffering } from "./capabilities.ts";
import type { MinerConfig } from "./config.ts";
import { Connection } from "./connection.ts";
import type { Engine } from "./engines/engine.ts";
import { loadIdentity } from "./identity.ts";
import { createMinerMetrics } from "./metrics.ts";
import type { MinerDeps } from "./ports.ts";
import { MinerService } from "./service.ts";

const DIRECTORY_MODE = 0o700;
const MS_PER_SECOND = 1000;

export interface MinerOptions extends Omit<MinerDeps, "engines"> {
  readonly config: MinerConfig;
  /** Makes the engines; called once. */
  readonly createEngines: () => Promise<readonly Engine[]>;
}

async function makeDirectory(path: string): Promise<void> {
  try {
    await mkdir(path, { recursive: true, mode: DIRECTORY_MODE });
  } catch (cause) {
    throw new AppError("DATA_UNWRITABLE", `cannot create ${path}: ${(cause as Error).message}`, { cause });
  }
}

/** A miner from start to stop: identity, engines, and a session that is kept open. */
export class Miner implements AsyncDisposable {
  readonly #options: MinerOptions;
  readonly #stopping = new AbortController();
  #lock: Disposable | undefined;
  #engines: readonly Engine[] = [];
  #service: MinerService | undefined;
  #connection: Connection | undefined;
  /** Asks the engines what they have, then connects. Never rejects. */
  #opening: Promise<void> | undefined;
  #disposed: Promise<void> | undefined;

  constructor(options: MinerOptions) {
    this.#options = options;
  }

  /**
   * Takes the miner's directory and key, and creates the engines; models are read and the session is opened
   * afterwards, since large models take a while. When the signal aborts the miner takes no further jobs.
   * @throws AppError DATA_IN_USE, DATA_UNWRITABLE, INVALID_CONFIG
   */
  async start(signal: AbortSignal): Promise<void> {
    const { identityFile, lockDirectory, random, createEngines } = this.#options;
    const directory = dirname(identityFile);
    await makeDirectory(directory);
    this.#lock = lockDirectory(directory);
    const identity = await loadIdentity(identityFile, random);
    this.#engines = await createEngines();
    this.#opening = this.#open(identity);
    const drain = () => {
      this.#stopping.abort();
      this.#service?.drain();
    };
    signal.addEventListener("abort", drain, { once: true });
    if (signal.aborted) drain();
  }

  /** Whether a session with the coordinator is open. */
  ready(): boolean {
    return this.#service?.connected ?? false;
  }

  /** Lets running jobs end, fails those that take longer than `drain_seconds`, and frees everything. */
  [Symbol.asyncDispose](): Promise<void> {
    this.#disposed ??= this.#dispose();
    return this.#disposed;
  }

  async #open(identity: Awaited<ReturnType<typeof loadIdentity>>): Promise<void> {
    const { config, log, clock, random, link, metrics, meters } = this.#options;
    const offering = await probeOffering(this.#engines, config.price, log);
    if (this.#stopping.signal.aborted) return;
    const models = [...offering.engines.keys()];
    if (models.length === 0) log.warn({}, "no engine has a model: this miner can take no job");
    else log.info({ miner_id: identity.minerId, models, slots: config.slots }, "miner offers its models");
    const service = new MinerService({
      config,
      identity,
      offering,
      meters,
      log,
      clock,
      metrics: createMinerMetrics(metrics),
    });
    this.#service = service;
    this.#connection = new Connection({ link, owner: service, log, clock, random });
    this.#connection.start();
  }

  async #dispose(): Promise<void> {
    this.#stopping.abort();
    await this.#opening;
    await this.#drain();
    await this.#connection?.stop();
    for (const engine of this.#engines) await engine[Symbol.asyncDispose]();
    this.#lock?.[Symbol.dispose]();
  }

  async #drain(): Promise<void> {
    const service = this.#service;
    if (!service) return;
    service.drain();
    const waiting = new AbortController();
    const late = sleep(this.#options.config.drain_seconds * MS_PER_SECOND, undefined, waiting).catch(
      () => {},
    );
    await Promise.race([service.idle, late]);
    waiting.abort();
    service.abandon();
  }
}
