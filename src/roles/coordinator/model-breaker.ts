import type { Clock } from "../../kernel/clock.ts";

/** Attempts with one model that fail one after the other before its miner gets no more jobs for it. */
export const FAILURES_TO_OPEN = 3;
/** How long the first time, in ms. Each further one without a finished job in between lasts twice as long. */
export const OPEN_BASE_MS = 15_000;
/** The longest one, in ms. */
export const OPEN_CAP_MS = 600_000;
/** Pairs of miner and model that are remembered; past it the ones that failed longest ago are forgotten. */
const MAX_CIRCUITS = 10_000;

/** `half-open`: one job may try whether the model works again. */
export type CircuitState = "closed" | "open" | "half-open";

interface Circuit {
  failures: number;
  /** How often it was opened since the last finished job. */
  opened: number;
  /** Monotonic ms; 0 while it is closed. */
  until: number;
  /** The one job of a half-open circuit runs. */
  trying: boolean;
  reason: string;
}

/**
 * A circuit breaker for each miner and model: a model that fails on one miner (a broken file, too little memory)
 * costs the jobs for it no more attempts there, while the miner's other models go on. After its time one job tries;
 * it closes the circuit or opens it for longer. Kept in memory: a restart gives all a new start.
 */
export class ModelBreaker {
  readonly #clock: Clock;
  readonly #miners = new Map<string, Map<string, Circuit>>();
  #circuits = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  failed(minerId: string, model: string, error: string): void {
    const circuits = this.#miners.get(minerId) ?? new Map<string, Circuit>();
    // Put last: the map's order is that of the latest failures.
    this.#miners.delete(minerId);
    this.#miners.set(minerId, circuits);
    const circuit = circuits.get(model) ?? { failures: 0, opened: 0, until: 0, trying: false, reason: "" };
    if (!circuits.has(model)) this.#circuits++;
    circuits.set(model, circuit);
    circuit.failures++;
    circuit.trying = false;
    const isTrial = circuit.until > 0;
    if (isTrial || circuit.failures >= FAILURES_TO_OPEN) {
      const lasts = Math.min(OPEN_BASE_MS * 2 ** circuit.opened, OPEN_CAP_MS);
      circuit.reason = isTrial
        ? `it failed again with ${error}`
        : `${circuit.failures} attempts failed one after the other, the last with ${error}`;
      circuit.until = this.#clock.monotonic() + lasts;
      circuit.failures = 0;
      circuit.opened++;
    }
    if (this.#circuits > MAX_CIRCUITS) this.#forgetOldest();
  }

  /** A job was finished with the model: what was before is forgotten. */
  succeeded(minerId: string, model: string): void {
    const circuits = this.#miners.get(minerId);
    if (!circuits?.delete(model)) return;
    this.#circuits--;
    if (circuits.size === 0) this.#miners.delete(minerId);
  }

  /** A job begins: where the circuit is half open it is the one that tries. */
  began(minerId: string, model: string): void {
    const circuit = this.#miners.get(minerId)?.get(model);
    if (circuit && circuit.until > 0) circuit.trying = true;
  }

  /** The job has ended, whatever it showed. */
  ended(minerId: string, model: string): void {
    const circuit = this.#miners.get(minerId)?.get(model);
    if (circuit) circuit.trying = false;
  }

  state(minerId: string, model: string): CircuitState {
    const circuit = this.#miners.get(minerId)?.get(model);
    if (!circuit || circuit.until === 0) return "closed";
    return this.#clock.monotonic() < circuit.until ? "open" : "half-open";
  }

  /** Why a miner gets no job for a model now; undefined when it does. */
  whyNot(minerId: string, model: string): string | undefined {
    const circuit = this.#miners.get(minerId)?.get(model);
    if (!circuit || circuit.until === 0) return undefined;
    const leftMs = circuit.until - this.#clock.monotonic();
    if (leftMs > 0) {
      return `gets no job for model ${model} for another ${Math.ceil(leftMs / 1000)} s: ${circuit.reason}`;
    }
    return circuit.trying ? `tries with another job whether model ${model} works again` : undefined;
  }

  /** The models of a miner that are held from it at the moment. */
  blocked(minerId: string): string[] {
    const circuits = this.#miners.get(minerId);
    if (!circuits) return [];
    return [...circuits.keys()].filter((model) => this.whyNot(minerId, model) !== undefined);
  }

  /** Forgets all failures of a miner. */
  pardon(minerId: string): void {
    this.#circuits -= this.#miners.get(minerId)?.size ?? 0;
    this.#miners.delete(minerId);
  }

  #forgetOldest(): void {
    const [oldest] = this.#miners.keys();
    if (oldest !== undefined) this.pardon(oldest);
  }
}
