import { mkdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { AppError } from "../../kernel/errors.ts";
import { Prober } from "./capabilities.ts";
import type { MinerConfig } from "./config.ts";
import { Connection } from "./connection.ts";
import type { Engine } from "./engines/engine.ts";
import { loadIdentity } from "./identity.ts";
import { createMinerMetrics } from "./metrics.ts";
import { OfferingWatch } from "./offering-watch.ts";
import type { MinerDeps } from "./ports.ts";
import type { GpuProbe } from "./probe/gpus.ts";
import { type Adjustable, MinerService } from "./service.ts";
import { WorkDirectories } from "./work-directories.ts";

const DIRECTORY_MODE = 0o700;
/** Folder of the jobs' files, beside the identity: that directory belongs to this miner alone. */
const WORK_FOLDER = "work";
const MS_PER_SECOND = 1000;
/**
 * How long the first registration waits for what may be slow or not there, in ms: tools that are not installed and
 * servers that do not run say so at once. What comes later is told in an update.
 */
const QUICK_PROBE_MS = 100;

export interface MinerOptions extends Omit<MinerDeps, "engines"> {
  readonly config: MinerConfig;
  readonly probeGpus: () => Promise<GpuProbe>;
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
  #work: WorkDirectories | undefined;
  #service: MinerService | undefined;
  #watch: OfferingWatch | undefined;
  #connection: Connection | undefined;
  /** Asks the engines what they have, then connects. Never rejects. */
  #opening: Promise<void> | undefined;
  #disposed: Promise<void> | undefined;
  /** What the operator has set last. */
  #terms: Adjustable;

  constructor(options: MinerOptions) {
    this.#options = options;
    this.#terms = options.config;
  }

  /**
   * Takes the miner's directory and key, and creates the engines; models are read and the session is opened
   * afterwards, since large models take a while. When the signal aborts the miner takes no further jobs.
   * @throws AppError DATA_IN_USE, DATA_UNWRITABLE, INVALID_CONFIG
   */
  async start(signal: AbortSignal): Promise<void> {
    const { identityFile, lockDirectory, random, createEngines, log } = this.#options;
    const directory = dirname(identityFile);
    await makeDirectory(directory);
    this.#lock = lockDirectory(directory);
    const identity = await loadIdentity(identityFile, random);
    this.#engines = await createEngines();
    const work = new WorkDirectories({ root: join(directory, WORK_FOLDER), log });
    await work.removeStale();
    this.#work = work;
    this.#opening = this.#open(identity, directory, work);
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

  /** Takes jobs at another price, or another number of them at once, from here on. */
  adjust(terms: Adjustable): void {
    this.#terms = terms;
    for (const engine of this.#engines) engine.resize?.(terms.slots);
    this.#service?.adjust(terms);
  }

  async #open(
    identity: Awaited<ReturnType<typeof loadIdentity>>,
    directory: string,
    work: WorkDirectories,
  ): Promise<void> {
    const { config, log, clock, random, link, metrics, meters, probeGpus } = this.#options;
    const prober = new Prober({ engines: this.#engines, probeGpus, directory, log });
    const everything = await this.#askSoon(prober);
    if (this.#stopping.signal.aborted) return;
    const { offering } = prober;
    const service = new MinerService({
      config: { ...config, ...this.#terms },
      identity,
      offering,
      meters,
      link,
      log,
      clock,
      metrics: createMinerMetrics(metrics),
      work,
    });
    this.#service = service;
    this.#watch = new OfferingWatch({
      prober,
      engines: this.#engines,
      onChange: (changed) => service.offer(changed),
      log,
    });
    this.#watch.start(offering, everything.done);
    this.#connection = new Connection({ link, owner: service, log, clock, random });
    this.#connection.start();
  }

  /** Asks everything at once, and waits for the engines that are surely there, and a moment for the rest. */
  async #askSoon(prober: Prober): Promise<{ readonly done: Promise<void> }> {
    const asked = this.#engines.map((engine) => ({ engine, answer: prober.askEngine(engine) }));
    const all = Promise.all([prober.askMachine(), ...asked.map(({ answer }) => answer)]);
    await Promise.all(asked.filter(({ engine }) => !engine.optional).map(({ answer }) => answer));
    await Promise.race([all, sleep(QUICK_PROBE_MS, undefined, { ref: false })]);
    // In an object, since a promise inside a promise would be waited for.
    return { done: all.then(() => {}) };
  }

  async #dispose(): Promise<void> {
    this.#stopping.abort();
    await this.#opening;
    this.#watch?.stop();
    await this.#drain();
    await this.#connection?.stop();
    for (const engine of this.#engines) await engine[Symbol.asyncDispose]();
    await this.#work?.[Symbol.asyncDispose]();
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
