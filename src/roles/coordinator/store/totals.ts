import type { JobState } from "../../../domain/job/state.ts";
import type { DayTable } from "../tables.ts";
import { type Db, prepared } from "./handle.ts";

const MS_PER_DAY = 24 * 3600 * 1000;

/** The day (UTC) of a time in Unix ms, counted from 1970-01-01. */
export const dayOf = (unixMs: number): number => Math.floor(unixMs / MS_PER_DAY);

/** The first moment of a day, in Unix ms. */
export const startOfDay = (day: number): number => day * MS_PER_DAY;

const NOTHING: Readonly<Omit<DayTable, "day">> = {
  completed: 0,
  failed: 0,
  canceled: 0,
  expired: 0,
  leases: 0,
  busy_ms: 0,
  units: 0,
  price_uait: 0n,
};

/** What happened at one moment: the end of a lease, of a job, or of both. */
export interface Ending {
  /** Unix ms. */
  readonly at: number;
  /** The state in which the job ended; undefined when it goes on. */
  readonly state: JobState | undefined;
  /** What the lease delivered; undefined when none ended. */
  readonly lease:
    | { readonly ran_ms: number; readonly units: number; readonly price_uait: bigint }
    | undefined;
}

const upsertDay = prepared<DayTable>()((db, p) =>
  db
    .insertInto("coordinator_day")
    .values({
      day: p("day"),
      completed: p("completed"),
      failed: p("failed"),
      canceled: p("canceled"),
      expired: p("expired"),
      leases: p("leases"),
      busy_ms: p("busy_ms"),
      units: p("units"),
      price_uait: p("price_uait"),
    })
    .onConflict((conflict) =>
      conflict.column("day").doUpdateSet((e) => ({
        completed: e("coordinator_day.completed", "+", e.ref("excluded.completed")),
        failed: e("coordinator_day.failed", "+", e.ref("excluded.failed")),
        canceled: e("coordinator_day.canceled", "+", e.ref("excluded.canceled")),
        expired: e("coordinator_day.expired", "+", e.ref("excluded.expired")),
        leases: e("coordinator_day.leases", "+", e.ref("excluded.leases")),
        busy_ms: e("coordinator_day.busy_ms", "+", e.ref("excluded.busy_ms")),
        units: e("coordinator_day.units", "+", e.ref("excluded.units")),
        price_uait: e("coordinator_day.price_uait", "+", e.ref("excluded.price_uait")),
      })),
    ),
);

/** Adds endings to their days, in the transaction that ends the leases or the jobs. */
export async function addToDays(tx: Db, endings: readonly Ending[]): Promise<void> {
  const sums = new Map<number, DayTable>();
  for (const { at, state, lease } of endings) {
    const day = dayOf(at);
    const sum = sums.get(day) ?? { day, ...NOTHING };
    sums.set(day, sum);
    if (state === "COMPLETED") sum.completed++;
    if (state === "FAILED") sum.failed++;
    if (state === "CANCELED") sum.canceled++;
    if (state === "EXPIRED") sum.expired++;
    if (!lease) continue;
    sum.leases++;
    sum.busy_ms += lease.ran_ms;
    sum.units += lease.units;
    sum.price_uait += lease.price_uait;
  }
  for (const sum of sums.values()) await upsertDay.run(tx, sum);
}

/** The days from one on, oldest first; days on which nothing ended are absent. */
export function listDays(db: Db, from: number): Promise<DayTable[]> {
  return db.selectFrom("coordinator_day").selectAll().where("day", ">=", from).orderBy("day").execute();
}

/** Everything that ever ended: one row a day, so there is little to add up. */
export async function sumDays(db: Db): Promise<Omit<DayTable, "day">> {
  const total: Omit<DayTable, "day"> = { ...NOTHING };
  for (const day of await listDays(db, 0)) {
    total.completed += day.completed;
    total.failed += day.failed;
    total.canceled += day.canceled;
    total.expired += day.expired;
    total.leases += day.leases;
    total.busy_ms += day.busy_ms;
    total.units += day.units;
    total.price_uait += BigInt(day.price_uait);
  }
  return total;
}
