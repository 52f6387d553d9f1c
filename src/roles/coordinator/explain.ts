import { isTerminal } from "../../domain/job/state.ts";
import type { CandidateView, JobExplanation, LeaseView } from "../../wire/explain.ts";
import type { QueueView } from "../../wire/jobs.ts";
import { formatTime } from "../../wire/scalars.ts";
import type { Candidates } from "./candidates.ts";
import { type Decision, MAX_CANDIDATES, rankOthers } from "./decision.ts";
import type { MinerLink } from "./miner-link.ts";
import type { Store } from "./ports.ts";
import type { QueueViews } from "./queue-view.ts";
import { listLastSegments } from "./store/delivery.ts";
import type { JobTable, SegmentTable } from "./tables.ts";

/** Leases that are explained; a job has no more than its attempts, and those that were taken back. */
const MAX_LEASES = 10;
const MS_PER_SECOND = 1000;

interface ExplainDeps {
  readonly store: Store;
  readonly candidates: Candidates;
  readonly queue: QueueViews;
  /** The links of the miners that are online now. */
  readonly links: () => Iterable<MinerLink>;
}

/** Says why a job went where it went, and why it waits. */
export async function explainJob(
  job: JobTable,
  { store, candidates, queue, links }: ExplainDeps,
): Promise<JobExplanation> {
  const leases = (await listLastSegments(store.db, job.job_id, MAX_LEASES)).map(toLeaseView);
  const view = await queue.view(job);
  const now = view && rankOthers(job, [...links()], candidates).slice(0, MAX_CANDIDATES);
  return {
    job_id: job.job_id,
    state: job.state,
    text: [...leases.flatMap(describeLease), ...describeNow(job, view, now ?? [])],
    ...(view && { queue: view, candidates: now }),
    leases,
  };
}

function toLeaseView(segment: SegmentTable): LeaseView {
  // The column was written from a Decision, or by a version that kept none.
  const decision = segment.decision === null ? undefined : (JSON.parse(segment.decision) as Decision);
  return {
    token: segment.token,
    miner_id: segment.miner_id,
    started_at: formatTime(segment.started_at),
    ended_at: segment.ended_at === null ? null : formatTime(segment.ended_at),
    outcome: segment.outcome,
    waited_ms: decision?.waited_ms ?? null,
    promised_ms: decision?.promised_ms ?? null,
    candidates: [...(decision?.candidates ?? [])],
  };
}

const seconds = (ms: number): string => `${(ms / MS_PER_SECOND).toFixed(1)} s`;
const times = (count: number, one: string, many: string): string => `${count} ${count === 1 ? one : many}`;

function describeLease(lease: LeaseView): string[] {
  const [chosen, ...others] = lease.candidates;
  const who = chosen ? `${chosen.name} (${lease.miner_id})` : lease.miner_id;
  const sentences = [`Lease ${lease.token} went to ${who} at ${lease.started_at}.`];
  if (lease.waited_ms !== null) {
    const promised =
      lease.promised_ms === null
        ? ""
        : `; when it was first asked, ${seconds(lease.promised_ms)} were expected`;
    sentences.push(`That was ${seconds(lease.waited_ms)} after the submission${promised}.`);
  }
  if (chosen) sentences.push(describeChoice(chosen, others));
  for (const other of others)
    if (other.why_not !== null) sentences.push(`${other.name} could not: ${other.why_not}.`);
  if (lease.outcome !== null && lease.outcome !== "completed") {
    sentences.push(`Lease ${lease.token} ended without an answer: ${lease.outcome}.`);
  }
  return sentences;
}

/** Why the chosen one, in one sentence. */
function describeChoice(chosen: CandidateView, others: readonly CandidateView[]): string {
  const able = others.filter(({ score }) => score !== null);
  const merits = [
    ...(chosen.holds_prefix ? ["it holds the conversation in memory"] : []),
    ...(chosen.is_warm ? ["its model is loaded"] : []),
    `${Math.round(chosen.load * 100)} % of its slots were taken`,
  ].join(", ");
  const score = chosen.score ?? 0;
  const better = able.filter((other) => (other.score ?? 0) > score);
  if (able.length === 0) return `It was the only one that could run it: ${merits}.`;
  const rank =
    better.length === 0
      ? `no other of ${times(able.length + 1, "miner", "miners")} that could run it scored higher`
      : `it asked for work first, though ${better.map(({ name, score: theirs }) => `${name} scored ${theirs}`).join(", ")}`;
  return `It scored ${score}, and ${rank}: ${merits}.`;
}

function describeNow(
  job: JobTable,
  queue: QueueView | undefined,
  candidates: readonly CandidateView[],
): string[] {
  if (!queue) {
    if (job.state === "RUNNING") return ["It runs now."];
    return isTerminal(job.state) ? [`It is ${job.state}${job.error === null ? "" : `: ${job.error}`}.`] : [];
  }
  const place = `${queue.position}${queue.position_is_lower_bound ? " or later" : ""}`;
  const eta =
    queue.eta_p50_ms === null
      ? `Nobody can tell how long it will wait: ${queue.eta_unknown ?? "nothing is known"}.`
      : `A miner should begin within ${seconds(queue.eta_p50_ms)}, and within ${seconds(queue.eta_p90_ms ?? queue.eta_p50_ms)} nine times of ten.`;
  return [
    `It waits at position ${place} among jobs with the same requirements: ${queue.reason}.`,
    eta,
    ...candidates.map(({ name, score, load, why_not }) =>
      score === null
        ? `${name} cannot run it now: ${why_not ?? "unknown"}.`
        : `${name} can, with a score of ${score}; ${Math.round(load * 100)} % of its slots are taken.`,
    ),
  ];
}
