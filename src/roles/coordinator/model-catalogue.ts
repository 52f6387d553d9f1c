import type { Clock } from "../../kernel/clock.ts";
import type { Log } from "../../kernel/log.ts";
import type { KnownModel, ModelOffer } from "../../wire/models.ts";
import type { CoordinatorConfig } from "./config.ts";
import { MAX_KNOWN_MODELS } from "./limits.ts";
import type { MinerLink, MinerProfile } from "./miner-link.ts";
import type { Store } from "./ports.ts";
import { listModels, noteModels } from "./store/models.ts";

interface CatalogueDeps {
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Log;
  readonly config: Pick<CoordinatorConfig, "price_uait_per_million_units">;
  /** The links of the miners that are online now. */
  readonly links: () => Iterable<MinerLink>;
}

/**
 * Which models there are: those of the miners that are online, from what these said, and the names of those that
 * were offered before, from the database. Profiles are never changed in place, so each is read once.
 */
export class ModelCatalogue {
  readonly #deps: CatalogueDeps;
  /** When each name was first seen, oldest first. */
  readonly #known = new Map<string, number>();
  readonly #noted = new WeakSet<MinerProfile>();
  readonly #offers = new WeakMap<MinerProfile, ReadonlyMap<string, ModelOffer>>();

  constructor(deps: CatalogueDeps) {
    this.#deps = deps;
  }

  async load(): Promise<void> {
    const rows = await listModels(this.#deps.store.db, MAX_KNOWN_MODELS);
    for (const { name, first_seen_at } of rows.reverse()) this.#known.set(name, first_seen_at);
  }

  /** Keeps the names that online miners offer and nobody offered before. */
  note(): void {
    const { clock, store, log, links } = this.#deps;
    const fresh = new Set<string>();
    for (const { profile } of links()) {
      if (this.#noted.has(profile)) continue;
      this.#noted.add(profile);
      for (const { name } of profile.capabilities.models) if (!this.#known.has(name)) fresh.add(name);
    }
    if (fresh.size === 0) return;
    const first_seen_at = clock.now();
    const rows = [...fresh].map((name) => ({ name, first_seen_at }));
    for (const { name } of rows) this.#known.set(name, first_seen_at);
    const forgotten = [...this.#known.keys()].slice(0, Math.max(0, this.#known.size - MAX_KNOWN_MODELS));
    for (const name of forgotten) this.#known.delete(name);
    store
      .operation(noteModels, rows, forgotten)
      .catch((error: unknown) => log.error({ err: error }, "models not stored"));
  }

  /** A model by its name; undefined where no miner ever offered it. */
  find(name: string): KnownModel | undefined {
    this.note();
    const first_seen_at = this.#known.get(name);
    if (first_seen_at === undefined) return undefined;
    const offers = [...this.#deps.links()].flatMap(({ profile }) => {
      const offer = this.#offersOf(profile).get(name);
      return offer ? [offer] : [];
    });
    return this.#toKnown(name, first_seen_at, offers);
  }

  /** The models that miners offer now, by name. */
  list(): KnownModel[] {
    this.note();
    const offers = new Map<string, ModelOffer[]>();
    for (const { profile } of this.#deps.links()) {
      for (const [name, offer] of this.#offersOf(profile)) {
        const others = offers.get(name);
        if (others) others.push(offer);
        else offers.set(name, [offer]);
      }
    }
    return [...offers]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, own]) => this.#toKnown(name, this.#known.get(name) ?? 0, own));
  }

  /** Every model has the coordinator's price: that is what jobs are charged. */
  #toKnown(name: string, first_seen_at: number, offers: readonly ModelOffer[]): KnownModel {
    const { price_uait_per_million_units } = this.#deps.config;
    return { name, first_seen_at, price_uait_per_million_units, offers };
  }

  #offersOf(profile: MinerProfile): ReadonlyMap<string, ModelOffer> {
    const known = this.#offers.get(profile);
    if (known) return known;
    const offers = new Map(
      profile.capabilities.models.map((model) => [model.name, toOffer(profile.minerId, model)] as const),
    );
    this.#offers.set(profile, offers);
    return offers;
  }
}

type Model = MinerProfile["capabilities"]["models"][number];

function toOffer(miner_id: string, model: Model): ModelOffer {
  const { engine, digest, context_tokens, features, tokens_per_second, load_ms, loaded } = model;
  return {
    miner_id,
    engine,
    digest,
    context_tokens,
    features,
    tokens_per_second,
    load_ms: load_ms ?? null,
    loaded: loaded ?? null,
  };
}
