import { setImmediate as nextTurn } from "node:timers/promises";
import type { JobListQuery } from "../../wire/job-lists.ts";
import { textsOf } from "../../wire/job-texts.ts";
import type { JobPayload } from "../../wire/jobs.ts";
import type { Store } from "./ports.ts";
import {
  type Candidate,
  countJobs,
  findJobRows,
  listCandidates,
  listJobRows,
  type Owner,
} from "./store/job-lists.ts";
import type { JobTable } from "./tables.ts";

/** Jobs are counted up to here: the number beyond tells people nothing, and counting takes the loop's time. */
export const TOTAL_BOUND = 10_000;
/** Jobs that one call with a filter looks through, and with a text filter, which reads prompts. */
export const SCAN_BOUND = 10_000;
export const TEXT_SCAN_BOUND = 1_000;
/** Jobs looked through between two turns of the event loop: a millisecond or two of work. */
const SLICE = 500;
const TEXT_SLICE = 50;

const MS_PER_DAY = 24 * 3600 * 1000;
const DATE_ONLY = /^\d{4}-\d{2}-\d{2}$/;

/** A page of rows, newest first. */
export interface JobRows {
  readonly rows: readonly JobTable[];
  readonly total: number;
  readonly total_is_lower_bound: boolean;
  readonly next_cursor: string | null;
}

type Fits = (job: Candidate) => boolean;

/**
 * Lists jobs, newest first, without ever searching for long: without a filter by one range of an index, with
 * one by looking through a bounded number of jobs, in slices that let other work in between.
 */
export async function listJobs(store: Store, owner: Owner, query: JobListQuery): Promise<JobRows> {
  const fits = toFilter(query);
  return fits ? search(store, owner, query, fits) : page(store, owner, query);
}

async function page({ db }: Store, owner: Owner, query: JobListQuery): Promise<JobRows> {
  const { limit, cursor: before } = query;
  const offset = before === undefined ? query.offset : 0;
  const rows = await listJobRows(db, { owner, before, limit: limit + 1 }, offset);
  const total = await countJobs(db, owner, TOTAL_BOUND + 1);
  const shown = rows.slice(0, limit);
  return {
    rows: shown,
    total: Math.min(total, TOTAL_BOUND),
    total_is_lower_bound: total > TOTAL_BOUND,
    next_cursor: rows.length > limit ? (shown.at(-1)?.job_id ?? null) : null,
  };
}

/** What one search found: the ids that fit, and where it stopped; undefined at the end of the list. */
interface Found {
  readonly ids: string[];
  readonly stoppedAt: string | undefined;
}

async function search(store: Store, owner: Owner, query: JobListQuery, fits: Fits): Promise<JobRows> {
  const withText = query.text !== undefined;
  const scan = (before: string | undefined, enough: number): Promise<Found> =>
    lookThrough(store, owner, before, { fits, withText, enough });
  const { limit, cursor, offset } = query;
  const all = await scan(undefined, Number.POSITIVE_INFINITY);
  const found = cursor === undefined ? all : await scan(cursor, limit + 1);
  const start = cursor === undefined ? offset : 0;
  const ids = found.ids.slice(start, start + limit);
  const more = found.ids.length > start + limit;
  return {
    rows: await findJobRows(store.db, ids),
    total: all.ids.length,
    total_is_lower_bound: all.stoppedAt !== undefined,
    next_cursor: more ? (ids.at(-1) ?? null) : (found.stoppedAt ?? null),
  };
}

/** Looks through the jobs below `before` until enough fit, the bound is reached, or none is left. */
async function lookThrough(
  { db }: Store,
  owner: Owner,
  before: string | undefined,
  { fits, withText, enough }: { fits: Fits; withText: boolean; enough: number },
): Promise<Found> {
  const bound = withText ? TEXT_SCAN_BOUND : SCAN_BOUND;
  const limit = withText ? TEXT_SLICE : SLICE;
  const ids: string[] = [];
  let at = before;
  for (let seen = 0; seen < bound; ) {
    const slice = await listCandidates(db, { owner, before: at, limit }, withText);
    for (const job of slice) if (fits(job)) ids.push(job.job_id);
    if (slice.length < limit) return { ids, stoppedAt: undefined };
    at = slice.at(-1)?.job_id;
    if (ids.length >= enough) break;
    seen += slice.length;
    await nextTurn();
  }
  return { ids, stoppedAt: at };
}

/** What a query asks of a job; undefined when it asks nothing. */
function toFilter(query: JobListQuery): Fits | undefined {
  const { model, miner, from, to, text } = query;
  const checks: Fits[] = [];
  const states = [query.status, query.state].filter((state) => state !== undefined);
  for (const state of states) checks.push((job) => job.state === state);
  const kinds = [query.job_type, query.kind].filter((kind) => kind !== undefined);
  for (const kind of kinds) checks.push((job) => job.kind === kind);
  if (model !== undefined) checks.push((job) => job.model === model);
  if (miner !== undefined) checks.push((job) => job.miner_id === miner);
  if (from !== undefined) {
    const begin = Date.parse(from);
    checks.push((job) => job.requested_at >= begin);
  }
  if (to !== undefined) {
    const end = Date.parse(to) + (DATE_ONLY.test(to) ? MS_PER_DAY - 1 : 0);
    checks.push((job) => job.requested_at <= end);
  }
  if (text !== undefined) checks.push(toTextCheck(text));
  return checks.length === 0 ? undefined : (job) => checks.every((check) => check(job));
}

/** Most payloads are ruled out by their JSON text; what is left is parsed, so that only prompts count. */
function toTextCheck(text: string): Fits {
  const written = JSON.stringify(text).slice(1, -1);
  return ({ payload }) => {
    if (!payload?.includes(written)) return false;
    // The column holds the canonical text of a payload that was checked when the job was submitted.
    return textsOf(JSON.parse(payload) as JobPayload).some((one) => one.includes(text));
  };
}
