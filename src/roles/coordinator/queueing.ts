import { PrefixAffinity } from "./affinity.ts";
import { Candidates } from "./candidates.ts";
import type { CoordinatorConfig } from "./config.ts";
import { FairShare } from "./fair-share.ts";
import type { Leases } from "./leases.ts";
import { QueueMetrics } from "./metrics.ts";
import type { MinerHealth } from "./miner-health.ts";
import type { MinerLink } from "./miner-link.ts";
import type { CoordinatorDeps } from "./ports.ts";
import { QueueViews } from "./queue-view.ts";
import type { Requirements } from "./requirements.ts";
import { WaitTimes } from "./wait-times.ts";

/** Everything that decides which job goes to which miner when, and tells it. */
export interface Queueing {
  readonly fair: FairShare;
  readonly affinity: PrefixAffinity;
  readonly candidates: Candidates;
  readonly waits: WaitTimes;
  readonly queue: QueueViews;
  readonly queueMetrics: QueueMetrics;
}

export function createQueueing(
  deps: Pick<CoordinatorDeps, "store" | "clock" | "metrics">,
  config: CoordinatorConfig,
  parts: {
    readonly requirements: Requirements;
    readonly health: MinerHealth;
    readonly leases: Leases;
    /** The links of the miners that are online now. */
    readonly links: () => Iterable<MinerLink>;
    /** Hears of a client, jobs of which are set aside, that may run another one. */
    readonly hasRoom: (clientNumber: number) => void;
  },
): Queueing {
  const { requirements, health, leases, links, hasRoom } = parts;
  const fair = new FairShare(deps.store, config);
  const affinity = new PrefixAffinity(deps.clock);
  const candidates = new Candidates({ requirements, health, affinity });
  const queueMetrics = new QueueMetrics(deps.metrics);
  const waits = new WaitTimes({
    clock: deps.clock,
    requirements,
    fair,
    candidates,
    metrics: queueMetrics,
    links,
  });
  leases.watch({
    begun: (lease) => fair.begun(lease),
    ended(lease) {
      waits.ended(lease);
      health.models.ended(lease.minerId, lease.terms.model);
      const client = fair.ended(lease);
      if (client !== undefined) hasRoom(client);
    },
  });
  const queue = new QueueViews({ store: deps.store, candidates, fair, waits, links });
  return { fair, affinity, candidates, waits, queue, queueMetrics };
}
