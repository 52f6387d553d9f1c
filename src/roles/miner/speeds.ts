import type { Gauge } from "../../kernel/metrics.ts";

/** Runs that count: enough to smooth short answers out, few enough to follow a machine that slows down. */
const RUNS = 16;
const MS_PER_SECOND = 1000;

/** How fast models write here, measured over the last finished runs of each. */
export class Speeds {
  readonly #gauge: Gauge<"model">;
  readonly #runs = new Map<string, { readonly tokens: number; readonly ms: number }[]>();

  constructor(gauge: Gauge<"model">) {
    this.#gauge = gauge;
  }

  /**
   * A run has finished. `tokens` were written in the `ms` since its first text, so that neither a model that had
   * to be loaded nor a long prompt counts; waiting for a slow reader does.
   */
  record(model: string, tokens: number, ms: number): void {
    // The first token stands at the beginning of that time.
    if (tokens < 2 || ms <= 0) return;
    const runs = [...(this.#runs.get(model) ?? []), { tokens: tokens - 1, ms }].slice(-RUNS);
    this.#runs.set(model, runs);
    this.#gauge.set({ model }, this.#rate(runs));
  }

  /** Whole tokens a second; null before the first measurement. */
  of(model: string): number | null {
    const runs = this.#runs.get(model);
    return runs ? Math.round(this.#rate(runs)) : null;
  }

  #rate(runs: readonly { readonly tokens: number; readonly ms: number }[]): number {
    const sum = (member: "tokens" | "ms"): number => runs.reduce((all, run) => all + run[member], 0);
    return (sum("tokens") / sum("ms")) * MS_PER_SECOND;
  }
}
