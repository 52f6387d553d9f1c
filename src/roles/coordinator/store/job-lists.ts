import { sql } from "kysely";
import type { JobTable } from "../tables.ts";
import type { Db } from "./handle.ts";

/** Prompts of jobs whose payload is longer than this are not searched: long ones cost the most and tell least. */
const MAX_SEARCHED_BYTES = 64 * 1024;

/** Whose jobs; undefined: everybody's. */
export type Owner = string | undefined;

/** Where a walk through the jobs stands: newest first, from below `before` (a job's id) on. */
export interface Walk {
  readonly owner: Owner;
  readonly before: string | undefined;
  readonly limit: number;
}

/** A job as filters look at it. */
export type Candidate = Pick<
  JobTable,
  "job_id" | "state" | "kind" | "model" | "miner_id" | "requested_at"
> & { readonly payload: string | null };

/** The next jobs of a walk: one range of an index. `payload` is read only where the text is asked for. */
export function listCandidates(db: Db, walk: Walk, withText: boolean): Promise<Candidate[]> {
  const payload = withText
    ? sql<string | null>`case when octet_length(payload) <= ${MAX_SEARCHED_BYTES} then payload end`
    : sql<null>`null`;
  return walkJobs(db, walk)
    .select(["job_id", "state", "kind", "model", "miner_id", "requested_at", payload.as("payload")])
    .execute();
}

/** Rows of the next jobs of a walk, after `offset` of them. */
export function listJobRows(db: Db, walk: Walk, offset: number): Promise<JobTable[]> {
  return walkJobs(db, walk).selectAll().offset(offset).execute();
}

/** The rows of some jobs, newest first. */
export async function findJobRows(db: Db, jobIds: readonly string[]): Promise<JobTable[]> {
  if (jobIds.length === 0) return [];
  return db
    .selectFrom("coordinator_job")
    .selectAll()
    .where("job_id", "in", jobIds)
    .orderBy("job_id", "desc")
    .execute();
}

/** Number of an owner's jobs, counted up to `bound` in an index alone. */
export async function countJobs(db: Db, owner: Owner, bound: number): Promise<number> {
  const row = await db
    .selectFrom((e) => {
      const ids = e.selectFrom("coordinator_job").select("job_id").limit(bound);
      return (owner === undefined ? ids : ids.where("client_id", "=", owner)).as("jobs");
    })
    .select((e) => e.fn.countAll<number>().as("count"))
    .executeTakeFirstOrThrow();
  return row.count;
}

function walkJobs(db: Db, { owner, before, limit }: Walk) {
  let query = db.selectFrom("coordinator_job").orderBy("job_id", "desc").limit(limit);
  if (owner !== undefined) query = query.where("client_id", "=", owner);
  if (before !== undefined) query = query.where("job_id", "<", before);
  return query;
}
