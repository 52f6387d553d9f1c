import type { MinerView } from "../../wire/miner-accounts.ts";
import { formatRecord, formatTable } from "../format.ts";

/** Names of the engines behind a miner's models, each once. */
function enginesOf({ models }: NonNullable<MinerView["capabilities"]>): string {
  return [...new Set(models.map(({ engine }) => engine))].join(", ");
}

/** Writes a miner for people: how it stands, then its models with their speeds. */
export function formatMiner(view: MinerView & { readonly coordinator_url: string }): string {
  const { capabilities, jobs, reason, status } = view;
  const gpus = capabilities?.gpus.map(({ name, memory_mb }) => `${name} (${memory_mb} MB)`).join(", ");
  const record = formatRecord([
    ["miner", view.miner_id],
    ["name", view.name],
    ["coordinator", view.coordinator_url],
    ["state", reason === null ? status.toLowerCase() : `${status.toLowerCase()}: ${reason}`],
    ["running jobs", [`${view.inflight} of ${view.concurrency}`, ...jobs.map((job) => job.job_id)].join(" ")],
    ["jobs completed", view.jobs_completed],
    ["jobs failed", view.jobs_failed],
    ["last heartbeat", view.last_heartbeat],
    ["region", view.region],
    ["engines", capabilities ? enginesOf(capabilities) : null],
    ["processor", capabilities && `${capabilities.cpu.name} (${capabilities.cpu.cores} cores)`],
    ["gpus", gpus === undefined ? null : gpus || "none"],
  ]);
  if (!capabilities) return record;
  const rows = capabilities.models.map(({ name, engine, context_tokens, tokens_per_second, load_ms }) => [
    name,
    engine,
    context_tokens,
    tokens_per_second,
    load_ms,
  ]);
  return `${record}\n\n${formatTable(["model", "engine", "context", "tokens/s", "load ms"], rows)}`;
}
