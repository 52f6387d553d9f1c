import type { Gauge } from "../../kernel/metrics.ts";
import type { MinerModel } from "../../wire/session.ts";

/** Runs that count: enough to smooth short answers out, few enough to follow a machine that slows down. */
const RUNS = 16;
const MS_PER_SECOND = 1000;
/** By how much a rate must differ from what was told, as a part of it: less changes nobody's choice. */
const NOTABLE = 0.1;

/** What is measured of a model. */
type Measured = Pick<MinerModel, "tokens_per_second" | "load_ms">;

/** How fast models write here, measured over the last finished runs of each, and how long they take to load. */
export class Speeds {
  readonly #gauge: Gauge<"model">;
  readonly #loads = new Map<string, number>();
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

  /** A model had to be loaded for a run: the last time counts, since disks and their caches change. */
  recordLoad(model: string, ms: number): void {
    this.#loads.set(model, Math.round(ms));
  }

  /** What is known of a model: whole tokens a second, null before the first measurement. */
  of(model: string): Measured {
    const runs = this.#runs.get(model);
    const load_ms = this.#loads.get(model);
    return {
      tokens_per_second: runs ? Math.round(this.#rate(runs)) : null,
      ...(load_ms !== undefined && { load_ms }),
    };
  }

  /** Whether a model is known to be notably different from what was told of it. */
  differs(model: string, told: Measured): boolean {
    const now = this.of(model);
    return (
      isNotable(now.tokens_per_second, told.tokens_per_second) ||
      isNotable(now.load_ms ?? null, told.load_ms ?? null)
    );
  }

  #rate(runs: readonly { readonly tokens: number; readonly ms: number }[]): number {
    const sum = (member: "tokens" | "ms"): number => runs.reduce((all, run) => all + run[member], 0);
    return (sum("tokens") / sum("ms")) * MS_PER_SECOND;
  }
}

function isNotable(now: number | null, told: number | null): boolean {
  if (now === null || told === null) return now !== told;
  return Math.abs(now - told) > told * NOTABLE;
}
