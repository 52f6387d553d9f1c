import { canonicalize } from "../../crypto/canonical-json.ts";
import { sha256Hex } from "../../crypto/hash.ts";
import { neededFeatures } from "../../domain/job/answer.ts";
import { type MatchRequirements, matchMiner } from "../../domain/job/matching.ts";
import type { Clock } from "../../kernel/clock.ts";
import { GenerationCache } from "../../kernel/db/generation-cache.ts";
import { AppError } from "../../kernel/errors.ts";
import type { JobSubmission } from "../../wire/jobs.ts";
import { toUait } from "../../wire/scalars.ts";
import { MAX_REQUIREMENTS, REQUIREMENT_KEPT_MS } from "./limits.ts";
import type { MinerProfile } from "./miner-link.ts";
import type { Store } from "./ports.ts";
import { internRequirement, listRequirements, pruneRequirements } from "./store/queue.ts";

/** What a job needs of a miner, with its kind. Prices are µAIT per 1,000,000 units. */
export interface Need extends MatchRequirements {
  readonly kind: string;
}

/**
 * What a submission needs. A miner that asks more than the coordinator pays, or than the client allows, does
 * not fit. @throws AppError INVALID_PAYLOAD when the client allows less than this coordinator's price
 */
export function toNeed({ payload, constraints = {} }: JobSubmission, unitPrice: number): Need {
  const { max_price, ...rest } = constraints;
  if (max_price !== undefined && toUait(max_price) < unitPrice) {
    throw new AppError(
      "INVALID_PAYLOAD",
      `/constraints/max_price: the price here is ${unitPrice} µAIT per 1,000,000 units; allow at least that`,
      { meta: { pointer: "/constraints/max_price" } },
    );
  }
  const context = payload.type === "inference" ? payload.context_tokens : undefined;
  return {
    kind: payload.type,
    model: payload.model ?? null,
    features: [...neededFeatures(payload).keys()],
    ...(context !== undefined && { context_tokens: context }),
    ...rest,
    max_price_uait: unitPrice,
  };
}

/** What of a miner's profile jobs are matched with. */
function toMatchCapabilities({ region, capabilities }: MinerProfile) {
  const { gpus, cuda, models, price } = capabilities;
  return { region, gpus, cuda, models, price_uait: price === null ? null : toUait(price) };
}

/**
 * Classes of needs. Jobs with the same needs share a class, so that matching is done once a class and a claim
 * asks the queue's index once a class, however many jobs wait.
 */
export class Requirements {
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #needs = new Map<number, Need>();
  /** When a class was last asked for, on the monotonic clock. */
  readonly #used = new Map<number, number>();
  /** By canonical text. */
  readonly #ids = new Map<string, number>();
  /** By the text of a need as it comes: its members are nearly always in one order, and canonical text costs more. */
  readonly #spellings = new GenerationCache<number>(MAX_REQUIREMENTS);
  /** Raised with each change, so that sessions know when their list is old. */
  #version = 0;
  readonly #eligible = new WeakMap<MinerProfile, { version: number; ids: readonly number[] }>();

  constructor(store: Store, clock: Clock) {
    this.#store = store;
    this.#clock = clock;
  }

  async load(): Promise<void> {
    for (const row of await listRequirements(this.#store.db)) {
      // The column was written by `intern` from a Need.
      this.#remember(row.requirement_id, row.constraints, JSON.parse(row.constraints) as Need);
    }
  }

  /** The id of a class, stored if it is new. @throws AppError LIMIT_EXCEEDED */
  async intern(need: Need): Promise<number> {
    const known = this.#find(need);
    if (known !== undefined) {
      this.#used.set(known, this.#clock.monotonic());
      return known;
    }
    const text = canonicalize(need as never);
    if (this.#needs.size >= MAX_REQUIREMENTS) await this.prune();
    if (this.#needs.size >= MAX_REQUIREMENTS) {
      throw new AppError("LIMIT_EXCEEDED", `jobs with ${MAX_REQUIREMENTS} different needs wait already`);
    }
    const { kind, model = null } = need;
    const row = { digest: sha256Hex(text), kind, model, constraints: text };
    const id = await this.#store.operation(internRequirement, row);
    this.#remember(id, text, need);
    return id;
  }

  /**
   * The class of a job that needs what another class does, and this model. A class that left the choice becomes one
   * that does not: a job keeps the model that it began with, and miners without it need not be asked.
   */
  async withModel(requirementId: number, model: string | null): Promise<number> {
    const need = this.#needs.get(requirementId);
    if (!need || model === null || need.model) return requirementId;
    try {
      return await this.intern({ ...need, model });
    } catch (error) {
      // Without room for another class the job waits in its old one, where not every miner can go on with it.
      if (error instanceof AppError && error.code === "LIMIT_EXCEEDED") return requirementId;
      throw error;
    }
  }

  /** The model that a class names. */
  modelOf(requirementId: number): string | null {
    return this.#needs.get(requirementId)?.model ?? null;
  }

  /** The classes that a miner can run. */
  eligible(miner: MinerProfile): readonly number[] {
    const cached = this.#eligible.get(miner);
    if (cached?.version === this.#version) return cached.ids;
    const capabilities = toMatchCapabilities(miner);
    const ids = [...this.#needs]
      .filter(([, need]) => matchMiner(need, capabilities).matches)
      .map(([id]) => id);
    this.#eligible.set(miner, { version: this.#version, ids });
    return ids;
  }

  /** Why a miner cannot run a class; undefined when it can. */
  explain(requirementId: number, miner: MinerProfile): string | undefined {
    const need = this.#needs.get(requirementId);
    if (!need) return undefined;
    const match = matchMiner(need, toMatchCapabilities(miner));
    return match.matches ? undefined : match.reason;
  }

  /** Forgets classes that no waiting or running job has and that nobody asked for lately. */
  async prune(): Promise<void> {
    const since = this.#clock.monotonic() - REQUIREMENT_KEPT_MS;
    const recent = [...this.#used].filter(([, at]) => at >= since).map(([id]) => id);
    const removed = new Set(await this.#store.operation(pruneRequirements, recent));
    if (removed.size === 0) return;
    this.#spellings.clear();
    for (const id of removed) {
      this.#needs.delete(id);
      this.#used.delete(id);
    }
    for (const [text, id] of this.#ids) if (removed.has(id)) this.#ids.delete(text);
    this.#version++;
  }

  #find(need: Need): number | undefined {
    const spelling = JSON.stringify(need);
    const spelled = this.#spellings.get(spelling);
    if (spelled !== undefined) return spelled;
    const known = this.#ids.get(canonicalize(need as never));
    if (known !== undefined) this.#spellings.set(spelling, known);
    return known;
  }

  #remember(id: number, text: string, need: Need): void {
    this.#needs.set(id, need);
    this.#ids.set(text, id);
    this.#used.set(id, this.#clock.monotonic());
    this.#version++;
  }
}
