/** Whether a miner can run a job. The reason of a refusal is told to the client while the job waits. */

import type { Feature } from "./answer.ts";

/** What a job asks of a miner. Absent members ask nothing. Prices are µAIT. */
export interface MatchRequirements {
  /** The job's model; absent: any model. */
  readonly model?: string | null | undefined;
  /** What the model must be able to do; absent: text. */
  readonly features?: readonly Feature[] | undefined;
  /** Least context of the model, in tokens. */
  readonly context_tokens?: number | undefined;
  readonly region?: string | null | undefined;
  readonly gpu?: string | undefined;
  readonly cuda?: string | undefined;
  /** GiB of memory on one GPU; a fraction is allowed. */
  readonly min_vram_gb?: number | undefined;
  readonly models?: readonly string[] | undefined;
  readonly max_price_uait?: number | undefined;
}

/** A model as a miner offers it. */
export interface MatchModel {
  readonly name: string;
  /** What it can do; see FEATURES. */
  readonly features: readonly string[];
  readonly context_tokens: number;
}

/** What a miner offers. */
export interface MatchCapabilities {
  readonly region: string | null;
  readonly gpus: readonly { readonly name: string; readonly memory_mb: number }[];
  readonly cuda: string | null;
  readonly models: readonly MatchModel[];
  /** Asking price; null: the coordinator's price, which fits every limit that the job was admitted with. */
  readonly price_uait: number | null;
}

export type Match = { readonly matches: true } | { readonly matches: false; readonly reason: string };

const MB_PER_GB = 1024;
const MATCHES: Match = { matches: true };
const lacks = (reason: string): Match => ({ matches: false, reason });

/** Matches a job with a miner; the first requirement that is not met gives the reason, such as "no model X". */
export function matchMiner(job: MatchRequirements, miner: MatchCapabilities): Match {
  for (const model of new Set([...(job.model ? [job.model] : []), ...(job.models ?? [])])) {
    if (!miner.models.some(({ name }) => name === model)) return lacks(`no model ${model}`);
  }
  if (miner.models.length === 0) return lacks("no model at all");
  const missing = findMissing(job, miner.models);
  if (missing !== undefined) {
    return lacks(job.model ? `model ${job.model} without ${missing}` : `no model with ${missing}`);
  }
  if (job.region && miner.region !== job.region) return lacks(`not in region ${job.region}`);
  return matchHardware(job, miner);
}

/** What a job asks of the model that runs it. */
export type ModelNeed = Pick<MatchRequirements, "model" | "features" | "context_tokens">;

/** Whether a model can do what a job asks of it, its name aside. */
function canDo(model: MatchModel, { features = [], context_tokens = 0 }: ModelNeed): boolean {
  return (
    features.every((feature) => model.features.includes(feature)) && model.context_tokens >= context_tokens
  );
}

/** The model for a job that names none: the first that can do it. */
export function chooseModel<Model extends MatchModel>(
  models: readonly Model[],
  need: ModelNeed,
): Model | undefined {
  return models.find((model) => canDo(model, need));
}

/** What the job's model lacks, or what no model has together with the rest. */
function findMissing(need: ModelNeed, models: readonly MatchModel[]): string | undefined {
  const { model, features = [], context_tokens = 0 } = need;
  const candidates = model ? models.filter(({ name }) => name === model) : models;
  if (chooseModel(candidates, need)) return undefined;
  const lacking = features.find((feature) => !candidates.some((one) => one.features.includes(feature)));
  if (lacking !== undefined) return lacking;
  if (!candidates.some((one) => one.context_tokens >= context_tokens)) {
    return `a context of ${context_tokens} tokens`;
  }
  return [...features, ...(context_tokens > 0 ? [`${context_tokens} tokens`] : [])].join(" and ");
}

function matchHardware(job: MatchRequirements, miner: MatchCapabilities): Match {
  const { gpu, cuda, min_vram_gb: vram, max_price_uait: maxPrice } = job;
  if (gpu !== undefined && !miner.gpus.some(({ name }) => name === gpu)) return lacks(`no GPU ${gpu}`);
  // A requirement of zero is none, so that it also fits a machine without a GPU.
  if (vram && !miner.gpus.some(({ memory_mb }) => memory_mb >= vram * MB_PER_GB)) {
    return lacks(`no GPU with ${vram} GB of memory`);
  }
  if (cuda !== undefined && !miner.cuda?.includes(cuda)) return lacks(`no CUDA ${cuda}`);
  if (maxPrice !== undefined && miner.price_uait !== null && miner.price_uait > maxPrice) {
    return lacks("asks more than the job's highest price");
  }
  return MATCHES;
}
