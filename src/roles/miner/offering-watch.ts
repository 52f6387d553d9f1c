import { setTimeout as sleep } from "node:timers/promises";
import type { Log } from "../../kernel/log.ts";
import type { Offering, Prober } from "./capabilities.ts";
import type { Engine } from "./engines/engine.ts";

/** How often engines are asked again, in ms: a model that was just pulled by hand is offered about so soon. */
const ASK_AGAIN_MS = 60_000;

export interface OfferingWatchOptions {
  readonly prober: Prober;
  readonly engines: readonly Engine[];
  /** Called with each offering that differs from the one before. */
  readonly onChange: (offering: Offering) => void;
  readonly log: Log;
}

/** Follows what this machine offers while the miner runs: servers start and stop, models come and go. */
export class OfferingWatch {
  readonly #options: OfferingWatchOptions;
  readonly #stop = new AbortController();
  #published = "";

  constructor(options: OfferingWatchOptions) {
    this.#options = options;
  }

  /** Takes note of what the registration says, and goes on from there once `everything` was asked for the first time. */
  start(registered: Offering, everything: Promise<void>): void {
    this.#note(registered);
    void this.#run(everything);
  }

  /** Nothing is published from here on. */
  stop(): void {
    this.#stop.abort();
  }

  async #run(everything: Promise<void>): Promise<void> {
    const { prober, engines } = this.#options;
    const { signal } = this.#stop;
    await everything;
    for (;;) {
      this.#publish();
      for (const engine of engines) await this.#prepare(engine);
      await sleep(ASK_AGAIN_MS, undefined, { signal, ref: false }).catch(() => {});
      if (signal.aborted) return;
      for (const engine of engines) await prober.askEngine(engine);
    }
  }

  async #prepare(engine: Engine): Promise<void> {
    try {
      if (!(await engine.prepare?.(this.#stop.signal))) return;
      await this.#options.prober.askEngine(engine);
      this.#publish();
    } catch (error) {
      if (this.#stop.signal.aborted) return;
      this.#options.log.warn({ engine: engine.name, err: error }, "engine cannot get its models");
    }
  }

  #publish(): void {
    if (this.#stop.signal.aborted) return;
    const { offering } = this.#options.prober;
    if (this.#note(offering)) this.#options.onChange(offering);
  }

  /** Logs an offering and says whether it is another one than before. */
  #note(offering: Offering): boolean {
    const text = JSON.stringify(offering.capabilities);
    if (text === this.#published) return false;
    this.#published = text;
    const { gpus } = offering.capabilities;
    const models = [...offering.engines.keys()];
    if (models.length === 0) this.#options.log.warn({}, "no engine has a model: this miner can take no job");
    else this.#options.log.info({ models, gpus: gpus.map(({ name }) => name) }, "miner offers its models");
    return true;
  }
}
