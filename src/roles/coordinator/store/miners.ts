import type { MinerTable, ReceiptTable, SegmentTable } from "../tables.ts";
import { type Db, prepared } from "./handle.ts";

/** What a miner says of itself when it registers. */
export type MinerRegistration = Pick<
  MinerTable,
  "miner_id" | "public_key" | "key_id" | "name" | "region" | "payout" | "registered_at" | "last_seen_at"
>;

const NO_TOTALS = {
  deactivated_at: null,
  drained_at: null,
  jobs_completed: 0,
  jobs_failed: 0,
  jobs_canceled: 0,
  units: 0,
  earned_uait: 0n,
  busy_ms: 0,
  last_receipt_id: null,
} as const;

/** Records a miner's registration; the first one keeps its time, and its totals go on. */
export async function upsertMiner(tx: Db, miner: MinerRegistration): Promise<void> {
  const { miner_id: _id, registered_at: _first, ...changing } = miner;
  await tx
    .insertInto("coordinator_miner")
    .values({ ...miner, ...NO_TOTALS })
    .onConflict((conflict) => conflict.column("miner_id").doUpdateSet(changing))
    .execute();
}

export function findMiner(db: Db, minerId: string): Promise<MinerTable | undefined> {
  return db.selectFrom("coordinator_miner").selectAll().where("miner_id", "=", minerId).executeTakeFirst();
}

/** Ids of the miners that an API key admitted last. */
export async function listMinersOfKey(db: Db, keyId: string): Promise<string[]> {
  const rows = await db
    .selectFrom("coordinator_miner")
    .select("miner_id")
    .where("key_id", "=", keyId)
    .execute();
  return rows.map(({ miner_id }) => miner_id);
}

/** Miners in the order of their ids, from an offset on. */
export function listMiners(db: Db, offset: number, limit: number): Promise<MinerTable[]> {
  return db
    .selectFrom("coordinator_miner")
    .selectAll()
    .orderBy("miner_id")
    .offset(offset)
    .limit(limit)
    .execute();
}

/** Number of miners that ever registered, counted up to `bound`. */
export async function countMiners(db: Db, bound: number): Promise<number> {
  const row = await db
    .selectFrom((e) => e.selectFrom("coordinator_miner").select("miner_id").limit(bound).as("miners"))
    .select((e) => e.fn.countAll<number>().as("count"))
    .executeTakeFirstOrThrow();
  return row.count;
}

/** Keeps a miner from new jobs from `at` on (Unix ms), or gives it jobs again; whether it is known. */
export async function markDeactivated(tx: Db, minerId: string, at: number | null): Promise<boolean> {
  const result = await tx
    .updateTable("coordinator_miner")
    .set({ deactivated_at: at })
    .where("miner_id", "=", minerId)
    .executeTakeFirst();
  return result.numUpdatedRows === 1n;
}

/** Ids of the miners that administrators keep from new jobs. */
export async function listDeactivated(db: Db): Promise<string[]> {
  const rows = await db
    .selectFrom("coordinator_miner")
    .select("miner_id")
    .where("deactivated_at", "is not", null)
    .execute();
  return rows.map(({ miner_id }) => miner_id);
}

/** Drains a miner from `at` on (Unix ms), or ends that. */
export async function markDrained(tx: Db, minerId: string, at: number | null): Promise<void> {
  await tx.updateTable("coordinator_miner").set({ drained_at: at }).where("miner_id", "=", minerId).execute();
}

/** Ids of the miners that their owners keep from new jobs. */
export async function listDrained(db: Db): Promise<string[]> {
  const rows = await db
    .selectFrom("coordinator_miner")
    .select("miner_id")
    .where("drained_at", "is not", null)
    .execute();
  return rows.map(({ miner_id }) => miner_id);
}

/** What ended leases add to their miner's totals. */
export interface MinerShare {
  readonly miner_id: string;
  /** Leases whose outcome counts as such. */
  readonly completed: number;
  readonly failed: number;
  readonly canceled: number;
  readonly units: number;
  readonly price_uait: bigint;
  readonly ran_ms: number;
  readonly receipt_id: string | null;
}

const updateTotals = prepared<MinerShare>()((db, p) =>
  db
    .updateTable("coordinator_miner")
    .set((e) => ({
      jobs_completed: e("jobs_completed", "+", p("completed")),
      jobs_failed: e("jobs_failed", "+", p("failed")),
      jobs_canceled: e("jobs_canceled", "+", p("canceled")),
      units: e("units", "+", p("units")),
      earned_uait: e("earned_uait", "+", p("price_uait")),
      busy_ms: e("busy_ms", "+", p("ran_ms")),
      last_receipt_id: e.fn.coalesce(e.val(p("receipt_id")), "last_receipt_id"),
    }))
    .where("miner_id", "=", p("miner_id")),
);

/** Adds ended leases to their miners' totals, in the transaction that ends them. */
export async function addToMiners(tx: Db, shares: readonly MinerShare[]): Promise<void> {
  const sums = new Map<string, MinerShare>();
  for (const share of shares) {
    const sum = sums.get(share.miner_id);
    sums.set(share.miner_id, sum ? addShares(sum, share) : share);
  }
  for (const sum of sums.values()) await updateTotals.run(tx, sum);
}

const addShares = (earlier: MinerShare, later: MinerShare): MinerShare => ({
  miner_id: later.miner_id,
  completed: earlier.completed + later.completed,
  failed: earlier.failed + later.failed,
  canceled: earlier.canceled + later.canceled,
  units: earlier.units + later.units,
  price_uait: earlier.price_uait + later.price_uait,
  ran_ms: earlier.ran_ms + later.ran_ms,
  receipt_id: later.receipt_id ?? earlier.receipt_id,
});

/** Leases of a miner are counted up to here; beyond it the number is a lower bound. */
const MINER_JOBS_BOUND = 10_000;

/** One lease of a miner. Times are Unix ms; `ended_at` and `outcome` are null while it runs. */
export interface MinerJob
  extends Pick<
    SegmentTable,
    "job_id" | "token" | "start_byte" | "end_byte" | "started_at" | "ended_at" | "outcome" | "receipt_id"
  > {
  readonly model: string | null;
  readonly kind: string;
  readonly units: ReceiptTable["units"] | null;
  readonly price_uait: ReceiptTable["price_uait"] | null;
}

export interface MinerJobPage {
  /** Newest submission first. */
  readonly items: MinerJob[];
  /** Leases in all, exact up to `MINER_JOBS_BOUND`. */
  readonly total: number;
  readonly total_is_lower_bound: boolean;
}

/** What a miner ran, newest submission first. `offset` is at most MINER_JOBS_BOUND. */
export async function listMinerJobs(
  db: Db,
  minerId: string,
  page: { readonly limit: number; readonly offset: number },
): Promise<MinerJobPage> {
  const items = await db
    .selectFrom("coordinator_segment as s")
    .innerJoin("coordinator_job as j", "j.job_id", "s.job_id")
    .leftJoin("coordinator_receipt as r", "r.receipt_id", "s.receipt_id")
    .select([
      "s.job_id",
      "s.token",
      "s.start_byte",
      "s.end_byte",
      "s.started_at",
      "s.ended_at",
      "s.outcome",
      "s.receipt_id",
      "j.model",
      "j.kind",
      "r.units",
      "r.price_uait",
    ])
    .where("s.miner_id", "=", minerId)
    .orderBy("s.job_id", "desc")
    .orderBy("s.token", "desc")
    .offset(Math.min(page.offset, MINER_JOBS_BOUND))
    .limit(page.limit)
    .execute();
  const { count } = await db
    .selectFrom((e) =>
      e
        .selectFrom("coordinator_segment")
        .select("token")
        .where("miner_id", "=", minerId)
        .limit(MINER_JOBS_BOUND)
        .as("leases"),
    )
    .select((e) => e.fn.countAll<number>().as("count"))
    .executeTakeFirstOrThrow();
  return { items, total: count, total_is_lower_bound: count >= MINER_JOBS_BOUND };
}
