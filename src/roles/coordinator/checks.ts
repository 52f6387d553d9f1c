import { sql } from "kysely";
import type { Db } from "./store/handle.ts";

/** Findings listed of one kind; more of the same tell no more. */
const MAX_FINDINGS = 5;

/**
 * What must hold in every database: a job is charged exactly what its receipts say, its receipts lie end to end
 * without gap or overlap in its delivered text, and what waits is queued. Each finding is a sentence.
 */
export async function checkJobs(db: Db): Promise<string[]> {
  const uneven = await sql<{ job_id: string }>`
    select j.job_id from coordinator_job j
    left join (
      select job_id, sum(units) as units, sum(price_uait) as price
      from coordinator_receipt group by job_id
    ) r on r.job_id = j.job_id
    where j.settled_units <> coalesce(r.units, 0) or j.price_uait <> coalesce(r.price, 0)
    limit ${MAX_FINDINGS}`.execute(db);
  const broken = await sql<{ receipt_id: string }>`
    select receipt_id from (
      select receipt_id, start_byte,
        coalesce(lag(end_byte) over (partition by job_id order by token), 0) as expected
      from coordinator_receipt
    ) ranges where start_byte <> expected
    limit ${MAX_FINDINGS}`.execute(db);
  const stray = await sql<{ job_id: string }>`
    select j.job_id from coordinator_job j
    left join coordinator_queue q on q.job_id = j.job_id
    where (j.state = 'QUEUED') <> (q.job_id is not null)
    limit ${MAX_FINDINGS}`.execute(db);
  return [
    ...uneven.rows.map(({ job_id }) => `job ${job_id} is not charged what its receipts say`),
    ...broken.rows.map(({ receipt_id }) => `receipt ${receipt_id} leaves a gap or overlaps the one before`),
    ...stray.rows.map(({ job_id }) => `job ${job_id} waits without being queued, or the other way round`),
  ];
}
