import type { QueueView } from "../../wire/jobs.ts";
import type { Candidates } from "./candidates.ts";
import type { FairShare } from "./fair-share.ts";
import { POSITION_BOUND } from "./limits.ts";
import type { MinerLink } from "./miner-link.ts";
import type { Store } from "./ports.ts";
import { countBefore, findPlace } from "./store/queue.ts";
import type { JobTable } from "./tables.ts";
import type { Estimate, WaitTimes } from "./wait-times.ts";

/** Different reasons that are told; more of them tell no more. */
const MAX_REASONS = 3;

interface QueueViewDeps {
  readonly store: Store;
  readonly candidates: Candidates;
  readonly fair: FairShare;
  readonly waits: WaitTimes;
  /** The links of the miners that are online now. */
  readonly links: () => Iterable<MinerLink>;
}

/** What is needed to tell where a job would stand that is not queued. */
export type Newcomer = Pick<JobTable, "requirement_id" | "client_id" | "priority">;

/** Tells where waiting jobs stand, why they do not run, and how long that will take. */
export class QueueViews {
  readonly #deps: QueueViewDeps;

  constructor(deps: QueueViewDeps) {
    this.#deps = deps;
  }

  /** Undefined for a job that does not wait. */
  async view(job: JobTable): Promise<QueueView | undefined> {
    if (job.state !== "QUEUED") return undefined;
    const { store, candidates, fair, waits } = this.#deps;
    const place = await findPlace(store.db, job.job_id);
    if (!place) return undefined;
    const before = await countBefore(store.db, place, POSITION_BOUND);
    const links = [...this.#deps.links()];
    const reasons = links.map((link) => candidates.whyNot(job, link));
    const eligible = reasons.filter((reason) => reason === undefined).length;
    const full = fair.whyFull(job.client_id);
    const estimate: Estimate = full
      ? { unknown: full }
      : eligible === 0
        ? { unknown: "no miner that can run it is at work" }
        : waits.estimate(place, before);
    waits.promise(job.job_id, estimate);
    return {
      position: before + 1,
      position_is_lower_bound: before >= POSITION_BOUND,
      miners_online: links.length,
      miners_eligible: eligible,
      reason: toReason(job, links.length, eligible, reasons, full),
      ...toEta(estimate),
    };
  }

  /** Where a job would stand that is not queued yet, and how long it would wait. */
  async foresee(job: Newcomer): Promise<{ readonly position: number; readonly estimate: Estimate }> {
    const { store, fair, waits } = this.#deps;
    const place = { ...job, ...fair.peek(job), job_id: LAST_OF_ITS_KEY };
    const before = await countBefore(store.db, place, POSITION_BOUND);
    return {
      position: before + 1,
      estimate: waits.estimate(place, before),
    };
  }
}

/** Comes after the id of every job. */
const LAST_OF_ITS_KEY = "~";

/** An estimate as a view shows it. */
function toEta(estimate: Estimate): Pick<QueueView, "eta_p50_ms" | "eta_p90_ms" | "eta_unknown"> {
  return "unknown" in estimate
    ? { eta_p50_ms: null, eta_p90_ms: null, eta_unknown: estimate.unknown }
    : { eta_p50_ms: estimate.p50, eta_p90_ms: estimate.p90 };
}

/** Why a job waits, in one sentence. */
function toReason(
  job: JobTable,
  online: number,
  eligible: number,
  reasons: readonly (string | undefined)[],
  full: string | undefined,
): string {
  if (online === 0) return "no miner is online";
  const miners = `${online} ${online === 1 ? "miner" : "miners"} online`;
  if (eligible === 0) {
    const distinct = [...new Set(reasons)].slice(0, MAX_REASONS).join("; ");
    return `${miners}, none fits: ${distinct}`;
  }
  if (full !== undefined) return full;
  if (job.error !== null) return `waits for another attempt after ${job.error}`;
  return `${miners}, ${eligible} can run it when a slot is free`;
}
