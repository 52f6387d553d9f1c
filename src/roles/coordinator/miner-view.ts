import type { Clock } from "../../kernel/clock.ts";
import type { AdminMiner } from "../../wire/admin.ts";
import type { MinerView } from "../../wire/miner-accounts.ts";
import { formatTime } from "../../wire/scalars.ts";
import type { MinerHealth } from "./miner-health.ts";
import type { MinerLink } from "./miner-link.ts";
import type { MinerTable } from "./tables.ts";

/** The mean, rounded; 0 of nothing. */
export const average = (sum: number, count: number): number => (count === 0 ? 0 : Math.round(sum / count));

interface ViewDeps {
  readonly clock: Clock;
  readonly health: MinerHealth;
  /** The links of the miners that are online now. */
  readonly links: () => ReadonlyMap<string, MinerLink>;
}

/** Writes a miner as administrators see it. */
export function toAdminMiner(row: MinerTable, { health, links, clock }: ViewDeps): AdminMiner {
  const link = links().get(row.miner_id);
  const { state, reason } = health.conditionOf(row.miner_id, link);
  const { jobs_completed, jobs_failed, jobs_canceled } = row;
  const silentMs = link && Math.max(0, Math.round(clock.monotonic() - link.seenAt));
  return {
    miner_id: row.miner_id,
    // The states are the same, as existing clients write them.
    status: state.toUpperCase() as AdminMiner["status"],
    inflight: link?.leases.size ?? 0,
    concurrency: link?.profile.slots ?? 0,
    region: row.region,
    last_heartbeat: formatTime(
      silentMs === undefined ? row.last_seen_at : Math.max(row.last_seen_at, clock.now() - silentMs),
    ),
    average_job_duration_ms: average(row.busy_ms, jobs_completed + jobs_failed + jobs_canceled),
    jobs_completed,
    jobs_failed,
    last_receipt_id: row.last_receipt_id,
    name: row.name,
    reason,
    active: row.deactivated_at === null,
    jobs_canceled,
    units: row.units,
    earned_uait: String(row.earned_uait),
    registered_at: formatTime(row.registered_at),
  };
}

/** Writes a miner as its owner sees it. */
export function toMinerView(row: MinerTable, deps: ViewDeps): MinerView {
  const link = deps.links().get(row.miner_id);
  const jobs = [...(link?.leases.values() ?? [])];
  return {
    ...toAdminMiner(row, deps),
    jobs: jobs.map(({ jobId, token }) => ({ job_id: jobId, lease_token: token })),
    capabilities: link ? toMachineView(link.profile.capabilities) : null,
  };
}

function toMachineView(said: MinerLink["profile"]["capabilities"]): NonNullable<MinerView["capabilities"]> {
  const { gpus, cuda, cpu, memory_mb, price } = said;
  const models = said.models.map(({ load_ms = null, loaded = null, ...model }) => ({
    name: model.name,
    engine: model.engine,
    digest: model.digest,
    context_tokens: model.context_tokens,
    tokens_per_second: model.tokens_per_second,
    load_ms,
    loaded,
  }));
  return { gpus, cuda, cpu, memory_mb, models, price };
}
