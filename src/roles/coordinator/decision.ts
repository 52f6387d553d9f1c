import type { Candidate, Candidates, JobNeed } from "./candidates.ts";
import type { MinerLink } from "./miner-link.ts";

/** Candidates that are written down with a lease: the one that got it, and the best of the others. */
export const MAX_CANDIDATES = 8;
/** Miners that are looked at for it: a claim must not take longer the more miners there are. */
const MAX_LOOKED_AT = 32;

/** Why a lease went to its miner. */
export interface Decision {
  readonly v: 1;
  /** From the submission to this lease, in ms. */
  readonly waited_ms: number;
  /** What the job was told first, in ms; null where nobody asked or knew. */
  readonly promised_ms: number | null;
  /** Miners that were online. */
  readonly online: number;
  /** The chosen one first, then by score. */
  readonly candidates: readonly Candidate[];
}

/** Writes down why a job goes to a miner, as JSON text. */
export function describeDecision(
  job: JobNeed,
  chosen: MinerLink,
  found: {
    readonly candidates: Candidates;
    readonly links: Iterable<MinerLink>;
    readonly waitedMs: number;
    readonly promisedMs: number | undefined;
  },
): string {
  const links = [...found.links];
  const decision: Decision = {
    v: 1,
    waited_ms: Math.round(found.waitedMs),
    promised_ms: found.promisedMs ?? null,
    online: links.length,
    candidates: [
      found.candidates.describe(job, chosen, 1),
      ...rankOthers(job, links, found.candidates, chosen),
    ].slice(0, MAX_CANDIDATES),
  };
  return JSON.stringify(decision);
}

/** Candidates for a job, the best first, those that cannot run it last. */
export function rankOthers(
  job: JobNeed,
  links: readonly MinerLink[],
  candidates: Candidates,
  chosen?: MinerLink,
): Candidate[] {
  return links
    .slice(0, MAX_LOOKED_AT)
    .filter((link) => link !== chosen)
    .map((link) => candidates.describe(job, link))
    .sort((a, b) => (b.score ?? -1) - (a.score ?? -1));
}
