import { sql } from "kysely";
import type { Db } from "./handle.ts";
import { dayOf, startOfDay } from "./totals.ts";

/** What a miner earned on one day. */
export interface DayEarnings {
  /** Days since 1970-01-01. */
  readonly day: number;
  readonly jobs: number;
  readonly amount_uait: bigint;
}

/** Hex characters of the time in a job's id (RFC 9562 §5.7: 48 bits of Unix ms). */
const TIME_CHARACTERS = 12;

/**
 * What a miner earned on each of the last `days` days up to `now` (Unix ms), newest first; days without
 * earnings are absent. Reads only jobs that were submitted in that time.
 */
export async function listEarnings(
  db: Db,
  minerId: string,
  now: number,
  days: number,
): Promise<DayEarnings[]> {
  const since = startOfDay(dayOf(now) - days + 1);
  const day = sql<number>`(r.issued_at / 86400000)`;
  return db
    .selectFrom("coordinator_segment as s")
    .innerJoin("coordinator_receipt as r", "r.receipt_id", "s.receipt_id")
    .select((e) => [
      day.as("day"),
      e.fn.countAll<number>().as("jobs"),
      sql<bigint>`cast(sum(r.price_uait) as bigint)`.as("amount_uait"),
    ])
    .where("s.miner_id", "=", minerId)
    .where("s.job_id", ">=", since.toString(16).padStart(TIME_CHARACTERS, "0"))
    .where("r.issued_at", ">=", since)
    .groupBy(day)
    .orderBy("day", "desc")
    .execute();
}
