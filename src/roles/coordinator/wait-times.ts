import {
  type Ahead,
  blendDurations,
  type Durations,
  derivedDurations,
  estimateWait,
  MeasuredDurations,
  type Slot,
  type Wait,
} from "../../domain/job/eta.ts";
import { shareOf, type WaitingFlow } from "../../domain/job/fair.ts";
import type { Clock } from "../../kernel/clock.ts";
import { GenerationCache } from "../../kernel/db/generation-cache.ts";
import type { Candidates } from "./candidates.ts";
import type { FairShare } from "./fair-share.ts";
import type { Lease } from "./lease.ts";
import type { QueueMetrics } from "./metrics.ts";
import type { MinerLink } from "./miner-link.ts";
import type { Requirements } from "./requirements.ts";
import type { QueueTable } from "./tables.ts";

/** Classes of needs and models whose durations are kept, in each of two generations. */
const MAX_MEASURED = 2_000;
/** Jobs of a class that must have ended before they say more of it than all jobs of its model do. */
const ENOUGH_OF_A_CLASS = 4;
/** What the newest job counts for in the average of the longest answers of its class. */
const NEWEST_PART = 0.1;
/** Waiting jobs whose first estimate is kept until they are served, likewise. */
const MAX_PROMISES = 10_000;
/** Estimates are compared with what came as if no wait were shorter than this, in ms: below it nobody cares. */
const SHORTEST_MS = 100;
/** Tokens of an answer whose length nobody bounded. */
const DEFAULT_TOKENS = 512;
const MS_PER_SECOND = 1000;
/** How long a look at all miners is good for, in ms. */
const FLEET_KEPT_MS = 250;

/** A place in the queue, whether a job has it already or would get it. */
export type Place = Pick<QueueTable, "requirement_id" | "client_number" | "priority">;

/** An estimate, or why there is none. */
export type Estimate = Wait | { readonly unknown: string };

interface WaitTimesDeps {
  readonly clock: Clock;
  readonly requirements: Requirements;
  readonly fair: FairShare;
  readonly candidates: Candidates;
  readonly metrics: QueueMetrics;
  /** The links of the miners that are online now. */
  readonly links: () => Iterable<MinerLink>;
}

/** The miners at work, and how many of their slots each class can have. */
interface Fleet {
  readonly at: number;
  readonly miners: readonly { readonly link: MinerLink; readonly classes: ReadonlySet<number> }[];
  readonly slots: ReadonlyMap<number, number>;
}

/** Estimates how long jobs will wait, and compares what it said with what came. */
export class WaitTimes {
  readonly #deps: WaitTimesDeps;
  readonly #measured = new GenerationCache<MeasuredDurations>(MAX_MEASURED);
  /** Longest answers that jobs ask for, in tokens: an average by class. */
  readonly #tokens = new GenerationCache<number>(MAX_MEASURED);
  readonly #promises = new GenerationCache<{ readonly at: number; readonly p50: number }>(MAX_PROMISES);
  /** Held weakly: miners that have gone, with their sockets, are not kept for the next question. */
  #fleet: WeakRef<Fleet> | undefined;
  readonly #classes = new WeakMap<readonly number[], ReadonlySet<number>>();

  constructor(deps: WaitTimesDeps) {
    this.#deps = deps;
  }

  /** A lease has ended: its slot was taken for so long, whatever it ended with. */
  ended({ job, terms, grantedAt }: Lease): void {
    const ms = Math.max(0, this.#deps.clock.monotonic() - grantedAt);
    for (const key of [`class ${job.requirement_id}`, `model ${terms.model}`]) {
      let durations = this.#measured.get(key);
      if (!durations) {
        durations = new MeasuredDurations();
        this.#measured.set(key, durations);
      }
      durations.add(ms);
    }
  }

  /** A job comes in that asks for an answer of at most so many tokens. */
  submitted(requirementId: number, maxTokens = DEFAULT_TOKENS): void {
    const key = String(requirementId);
    const average = this.#tokens.get(key) ?? maxTokens;
    this.#tokens.set(key, average + NEWEST_PART * (maxTokens - average));
  }

  /** How long a job at a place waits that so many of its class stand before. */
  estimate(place: Place, before: number): Estimate {
    const { requirement_id } = place;
    // A class that nobody had asked for at the last look is worth another one.
    const fleet = this.#look(requirement_id);
    const able = fleet.miners.filter(({ classes }) => classes.has(requirement_id));
    if (able.length === 0) return { unknown: "no miner that can run it is at work" };
    const durations = this.#durationsOf(requirement_id, able);
    if (!durations)
      return { unknown: "no job of this kind has run yet, and no miner has measured its model" };
    const slots = able.flatMap(({ link }) => this.#slotsOf(link, able, durations));
    const ahead = [{ jobs: before, durations }, ...this.#others(place, before, able, fleet, durations)];
    const wait = estimateWait(slots, ahead);
    return wait ?? { unknown: "no miner that can run it has a slot" };
  }

  /** A job was told what to expect; the first time counts. */
  promise(jobId: string, estimate: Estimate): void {
    if ("unknown" in estimate || this.#promises.get(jobId)) return;
    this.#promises.set(jobId, { at: this.#deps.clock.monotonic(), p50: estimate.p50 });
  }

  /** What a job was told first, in ms. */
  promised(jobId: string): number | undefined {
    return this.#promises.get(jobId)?.p50;
  }

  /** A miner takes the job: what it was told meets what came. */
  served(jobId: string): void {
    const promise = this.#promises.get(jobId);
    if (!promise) return;
    const waitedMs = this.#deps.clock.monotonic() - promise.at;
    this.#deps.metrics.realised(Math.max(SHORTEST_MS, waitedMs) / Math.max(SHORTEST_MS, promise.p50));
  }

  /** What was measured of a class, and what can be derived where that is little. */
  #durationsOf(requirementId: number, able: Fleet["miners"]): Durations | undefined {
    const measured = this.#measuredOf(requirementId);
    const derived = this.#derive(requirementId, able);
    return measured && derived ? blendDurations(measured, derived) : (measured ?? derived);
  }

  /** What was measured of a class, or of its model where that says more. */
  #measuredOf(requirementId: number): MeasuredDurations | undefined {
    const own = this.#measured.get(`class ${requirementId}`);
    if (own && own.count >= ENOUGH_OF_A_CLASS) return own;
    return this.#measured.get(`model ${this.#deps.requirements.modelOf(requirementId)}`) ?? own;
  }

  /** From the speed that miners have measured, and the longest answer. */
  #derive(requirementId: number, able: Fleet["miners"]): Durations | undefined {
    const tokens = this.#tokens.get(String(requirementId)) ?? DEFAULT_TOKENS;
    const model = this.#deps.requirements.modelOf(requirementId);
    const speeds = able
      .flatMap(({ link }) => link.profile.capabilities.models)
      .filter(({ name }) => model === null || name === model)
      .map(({ tokens_per_second: speed }) => speed ?? 0)
      .filter((speed) => speed > 0)
      .sort((a, b) => a - b);
    const middle = speeds[Math.floor(speeds.length / 2)];
    return middle === undefined ? undefined : derivedDurations((tokens / middle) * MS_PER_SECOND);
  }

  #slotsOf(link: MinerLink, able: Fleet["miners"], otherwise: Durations): Slot[] {
    const now = this.#deps.clock.monotonic();
    const taken = [...link.leases.values()].map(({ job, grantedAt }) => ({
      elapsedMs: Math.max(0, now - grantedAt),
      durations: this.#durationsOf(job.requirement_id, able) ?? otherwise,
    }));
    const free = Math.max(0, link.profile.slots - taken.length);
    return [...taken, ...Array.from({ length: free }, (): Slot => "free")];
  }

  /** What the same miners serve of other classes before the job: each client's share, as far as that goes. */
  #others(place: Place, before: number, able: Fleet["miners"], fleet: Fleet, otherwise: Durations): Ahead[] {
    const { fair } = this.#deps;
    const mine = fair.flowOf(place);
    const share = shareOf(mine);
    const own = fair.waiting(place.requirement_id);
    const all = own.reduce((sum, flow) => sum + shareOf(flow), 0);
    const ofOwn = own.find((flow) => isSame(flow, mine))?.jobs ?? 0;
    // Its own flow's part of those before it, and itself.
    const turn = 1 + before * Math.min(1, share / Math.max(share, all));
    const classes = fair.classes
      .filter((id) => id !== place.requirement_id)
      .map((id) => ({ id, part: partOf(id, able, fleet), flows: fair.waiting(id) }))
      .filter(({ part }) => part > 0);
    // Of one flow the oldest job goes first, whatever its class.
    const older = (flow: WaitingFlow): number => flow.jobs * Math.min(1, turn / Math.max(1, ofOwn));
    const elsewhere = classes.map(({ part, flows }) => {
      const flow = flows.find((one) => isSame(one, mine));
      return flow ? part * older(flow) : 0;
    });
    // So often its flow is served until the job's turn comes; the others are served in proportion meanwhile.
    const rounds = turn + elsewhere.reduce((sum, jobs) => sum + jobs, 0);
    const waiting = new Map<string, number>();
    for (const flow of classes.flatMap(({ flows }) => flows)) {
      waiting.set(nameOf(flow), (waiting.get(nameOf(flow)) ?? 0) + flow.jobs);
    }
    const served = (flow: WaitingFlow): number => {
      const there = own.some((one) => isSame(one, flow)) ? (before * shareOf(flow)) / Math.max(1, all) : 0;
      const due = Math.max(0, (rounds * shareOf(flow)) / share - there);
      return Math.min(flow.jobs, (due * flow.jobs) / (waiting.get(nameOf(flow)) ?? flow.jobs));
    };
    return classes.map(({ id, part, flows }, index) => ({
      jobs: flows
        .filter((flow) => !isSame(flow, mine))
        .reduce((sum, flow) => sum + part * served(flow), elsewhere[index] ?? 0),
      durations: this.#durationsOf(id, able) ?? otherwise,
    }));
  }

  #look(requirementId: number): Fleet {
    const now = this.#deps.clock.monotonic();
    const known = this.#fleet?.deref();
    if (known && now - known.at < FLEET_KEPT_MS && known.slots.has(requirementId)) return known;
    const { candidates, links } = this.#deps;
    const miners: { link: MinerLink; classes: ReadonlySet<number> }[] = [];
    const slots = new Map<number, number>();
    for (const link of links()) {
      if (!candidates.isAtWork(link)) continue;
      const classes = this.#classesOf(candidates.classesOf(link));
      miners.push({ link, classes });
      for (const id of classes) slots.set(id, (slots.get(id) ?? 0) + link.profile.slots);
    }
    const fleet = { at: now, miners, slots };
    this.#fleet = new WeakRef(fleet);
    return fleet;
  }

  /** Of the same list, which many looks get, one set. */
  #classesOf(ids: readonly number[]): ReadonlySet<number> {
    const known = this.#classes.get(ids);
    if (known) return known;
    const classes = new Set(ids);
    this.#classes.set(ids, classes);
    return classes;
  }
}

/** The part of a class's jobs that come to these miners. */
function partOf(requirementId: number, able: Fleet["miners"], fleet: Fleet): number {
  const common = able
    .filter(({ classes }) => classes.has(requirementId))
    .reduce((sum, { link }) => sum + link.profile.slots, 0);
  return common / Math.max(1, fleet.slots.get(requirementId) ?? 0);
}

const nameOf = ({ client, priority }: Pick<WaitingFlow, "client" | "priority">) => `${client} ${priority}`;

const isSame = (a: Pick<WaitingFlow, "client" | "priority">, b: Pick<WaitingFlow, "client" | "priority">) =>
  a.client === b.client && a.priority === b.priority;
