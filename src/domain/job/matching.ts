/** Whether a miner can run a job. The reason of a refusal is told to the client while the job waits. */

/** What a job asks of a miner. Absent members ask nothing. Prices are µAIT. */
export interface MatchRequirements {
  /** The job's model; absent: any model. */
  readonly model?: string | null | undefined;
  readonly region?: string | null | undefined;
  readonly gpu?: string | undefined;
  readonly cuda?: string | undefined;
  /** GiB of memory on one GPU; a fraction is allowed. */
  readonly min_vram_gb?: number | undefined;
  readonly models?: readonly string[] | undefined;
  readonly max_price_uait?: number | undefined;
}

/** What a miner offers. */
export interface MatchCapabilities {
  readonly region: string | null;
  readonly gpus: readonly { readonly name: string; readonly memory_mb: number }[];
  readonly cuda: string | null;
  readonly models: readonly { readonly name: string }[];
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
  if (job.region && miner.region !== job.region) return lacks(`not in region ${job.region}`);
  return matchHardware(job, miner);
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
