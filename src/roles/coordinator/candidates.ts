import { scoreMiner } from "../../domain/job/score.ts";
import type { PrefixAffinity } from "./affinity.ts";
import { isKeyless } from "./keyless-profile.ts";
import type { MinerHealth } from "./miner-health.ts";
import type { MinerLink, MinerProfile } from "./miner-link.ts";
import type { Requirements } from "./requirements.ts";
import type { JobTable } from "./tables.ts";

/** A job as far as it matters to who may run it. */
export type JobNeed = Pick<JobTable, "job_id" | "requirement_id" | "delivered_bytes">;

/** A miner as a job's client sees it. */
export interface Candidate {
  readonly miner_id: string;
  readonly name: string;
  /** Null where it cannot run the job now. */
  readonly score: number | null;
  /** Part of its slots that are taken, 0 to 1. */
  readonly load: number;
  /** Whether the model is in memory; null where nobody can tell. */
  readonly is_warm: boolean | null;
  readonly holds_prefix: boolean;
  /** Why it cannot run the job now. */
  readonly why_not: string | null;
}

interface CandidatesDeps {
  readonly requirements: Requirements;
  readonly health: MinerHealth;
  readonly affinity: PrefixAffinity;
}

/** Which miners can run a job, which of them suits it best, and why others do not. */
export class Candidates {
  readonly #deps: CandidatesDeps;
  /** Profiles without the models that fail, by the profile that they were made of. */
  readonly #usable = new WeakMap<MinerProfile, { blocked: string; profile: MinerProfile }>();

  constructor(deps: CandidatesDeps) {
    this.#deps = deps;
  }

  /** A miner's profile without the models that fail on it now. */
  usable({ minerId, profile }: MinerLink): MinerProfile {
    const blocked = this.#deps.health.models.blocked(minerId);
    if (blocked.length === 0) return profile;
    const name = blocked.toSorted().join("\0");
    const known = this.#usable.get(profile);
    if (known?.blocked === name) return known.profile;
    const { capabilities } = profile;
    const models = capabilities.models.filter((model) => !blocked.includes(model.name));
    const usable = { ...profile, capabilities: { ...capabilities, models } };
    this.#usable.set(profile, { blocked: name, profile: usable });
    return usable;
  }

  /** The classes that a miner can run now. */
  classesOf(link: MinerLink): readonly number[] {
    return this.#deps.requirements.eligible(this.usable(link));
  }

  /** Whether nothing but its slots keeps a miner from work. */
  isAtWork(link: MinerLink): boolean {
    return this.#deps.health.conditionOf(link.minerId, link).state === "online";
  }

  /** Why a miner does not take a job; undefined when it does, as soon as a slot is free. */
  whyNot(job: JobNeed, link: MinerLink): string | undefined {
    const { requirements, health } = this.#deps;
    const unfit = requirements.explain(job.requirement_id, link.profile);
    if (unfit !== undefined) return unfit;
    const { reason } = health.conditionOf(link.minerId, link);
    if (reason !== null) return reason;
    if (requirements.explain(job.requirement_id, this.usable(link)) !== undefined) {
      const [broken = ""] = health.models.blocked(link.minerId);
      const model = requirements.modelOf(job.requirement_id) ?? broken;
      return health.models.whyNot(link.minerId, model);
    }
    const begun = job.delivered_bytes > 0;
    return begun && !link.continues ? whyNotContinued(link) : undefined;
  }

  /** A miner's score for a job that it can run; `ownClaims`: claims under way that are for this very job. */
  score(job: Pick<JobNeed, "job_id" | "requirement_id">, link: MinerLink, ownClaims = 0): number {
    return scoreMiner({
      load: loadOf(link, ownClaims),
      isWarm: this.#isWarm(job.requirement_id, link),
      holdsPrefix: this.#deps.affinity.holderOf(job.job_id) === link.minerId,
    });
  }

  /** A miner as a candidate for a job. */
  describe(job: JobNeed, link: MinerLink, ownClaims = 0): Candidate {
    const whyNot = this.whyNot(job, link);
    return {
      miner_id: link.minerId,
      name: link.profile.name,
      score: whyNot === undefined ? round(this.score(job, link, ownClaims)) : null,
      load: round(loadOf(link, ownClaims)),
      is_warm: this.#isWarm(job.requirement_id, link) ?? null,
      holds_prefix: this.#deps.affinity.holderOf(job.job_id) === link.minerId,
      why_not: whyNot ?? null,
    };
  }

  /** Whether the model that would run a job is in memory. */
  #isWarm(requirementId: number, { profile }: MinerLink): boolean | undefined {
    const name = this.#deps.requirements.modelOf(requirementId);
    const { models } = profile.capabilities;
    return (name === null ? models[0] : models.find((model) => model.name === name))?.loaded;
  }
}

/** Part of a miner's slots that are taken, leaving out claims of the caller's own. */
export function loadOf(link: MinerLink, ownClaims = 0): number {
  return 1 - Math.min(1, (link.freeSlots + ownClaims) / link.profile.slots);
}

const DIGITS = 100;
const round = (value: number): number => Math.round(value * DIGITS) / DIGITS;

function whyNotContinued({ minerId, profile }: MinerLink): string {
  if (isKeyless(minerId)) return "keyless miners cannot continue a text that has begun";
  const unable = profile.capabilities.models.find(({ continues }) => continues === false);
  return `the server behind model ${unable?.name ?? "-"} cannot continue a text that has begun`;
}
