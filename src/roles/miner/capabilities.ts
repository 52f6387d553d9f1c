import { hostname } from "node:os";
import type { Log } from "../../kernel/log.ts";
import { MAX_MODELS } from "../../wire/limits.ts";
import type { MinerCapabilities, MinerModel } from "../../wire/session.ts";
import type { Engine } from "./engines/engine.ts";
import { printable } from "./probe/gpu.ts";
import { describeAttempts, type GpuProbe } from "./probe/gpus.ts";
import { probeDisk, probeMachine } from "./probe/machine.ts";

/** Name of this machine, for people. */
export function hostDisplayName(): string {
  return printable(hostname());
}

/** What this machine offers: its hardware, and the models of the engines that run here. */
export interface Offering {
  readonly capabilities: Omit<MinerCapabilities, "price">;
  /** Engine by the name of the model it offers; where two offer one name, the first engine has it. */
  readonly engines: ReadonlyMap<string, Engine>;
}

export interface ProberOptions {
  readonly engines: readonly Engine[];
  readonly probeGpus: () => Promise<GpuProbe>;
  /** Where jobs keep their files. */
  readonly directory: string;
  readonly log: Log;
}

/** Finds out what this machine offers, part by part: what is known so far can be offered while the rest is asked. */
export class Prober {
  readonly #options: ProberOptions;
  readonly #models = new Map<Engine, readonly MinerModel[]>();
  /** What was logged last about an engine: a state is logged when it begins, not with each try. */
  readonly #logged = new Map<Engine, string>();
  #gpus: Pick<GpuProbe, "gpus" | "cuda"> = { gpus: [], cuda: null };
  #diskMb: number | undefined;

  constructor(options: ProberOptions) {
    this.#options = options;
  }

  /** Asks the machine. Never rejects. */
  async askMachine(): Promise<void> {
    const [gpus, disk] = await Promise.all([this.#options.probeGpus(), probeDisk(this.#options.directory)]);
    this.#gpus = gpus;
    this.#diskMb = disk;
    this.#options.log.debug({ gpus: gpus.gpus.length, found: describeAttempts(gpus) }, "machine probed");
  }

  /** Asks one engine what it has. One that cannot run here offers nothing. Never rejects. */
  async askEngine(engine: Engine): Promise<void> {
    this.#models.set(engine, await this.#listModels(engine));
  }

  /** What is known by now. */
  get offering(): Offering {
    const models: MinerModel[] = [];
    const engines = new Map<string, Engine>();
    for (const engine of this.#options.engines) {
      for (const model of this.#models.get(engine) ?? []) {
        if (engines.has(model.name) || models.length >= MAX_MODELS) continue;
        engines.set(model.name, engine);
        models.push(model);
      }
    }
    const { gpus, cuda } = this.#gpus;
    const disk = this.#diskMb === undefined ? {} : { disk_mb: this.#diskMb };
    return { engines, capabilities: { ...probeMachine(), ...disk, gpus: [...gpus], cuda, models } };
  }

  async #listModels(engine: Engine): Promise<MinerModel[]> {
    try {
      const probe = await engine.probe();
      if (!probe.available) {
        const level = engine.optional ? "debug" : "warn";
        this.#logOnce(engine, `not available: ${probe.reason}`, () =>
          this.#options.log[level]({ engine: engine.name, reason: probe.reason }, "engine cannot run here"),
        );
        return [];
      }
      const models = await engine.models();
      this.#logOnce(engine, "available", () =>
        this.#options.log.debug({ engine: engine.name, version: probe.version }, "engine is available"),
      );
      return models.map((model) => ({
        ...model,
        features: [...model.features],
        engine: engine.name,
        tokens_per_second: null,
      }));
    } catch (error) {
      this.#logOnce(engine, String(error), () =>
        this.#options.log.warn({ engine: engine.name, err: error }, "engine has no usable model"),
      );
      return [];
    }
  }

  #logOnce(engine: Engine, state: string, log: () => void): void {
    if (this.#logged.get(engine) === state) return;
    this.#logged.set(engine, state);
    log();
  }
}
