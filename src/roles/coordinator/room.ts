import type { FairShare } from "./fair-share.ts";
import type { MinerHealth } from "./miner-health.ts";
import type { MinerLink } from "./miner-link.ts";
import type { Requirements } from "./requirements.ts";

interface RoomDeps {
  /** The links of the miners that are online now. */
  readonly links: () => Iterable<MinerLink>;
  readonly health: MinerHealth;
  readonly fair: FairShare;
  readonly requirements: Requirements;
}

/**
 * How many more jobs of a model would begin at once: the free slots of the miners that offer it, less the jobs that
 * wait and that one of these can run. What is for idle miners alone asks this before it queues anything, so that it
 * never waits in anybody's way.
 */
export function roomFor(model: string, { links, health, fair, requirements }: RoomDeps): number {
  const idle = [...links()].filter(
    (link) =>
      link.open &&
      !link.draining &&
      link.freeSlots > 0 &&
      health.quarantine(link.minerId) === undefined &&
      link.profile.capabilities.models.some(({ name }) => name === model),
  );
  let room = idle.reduce((sum, { freeSlots }) => sum + freeSlots, 0);
  for (const requirementId of idle.length > 0 ? fair.classes : []) {
    const wanted = requirements.modelOf(requirementId);
    if (wanted !== null && wanted !== model) continue;
    if (!idle.some(({ profile }) => requirements.eligible(profile).includes(requirementId))) continue;
    for (const { jobs } of fair.waiting(requirementId)) room -= jobs;
  }
  return room;
}
