import { sql } from "kysely";
import type { QueueTable, RequirementTable } from "../tables.ts";
import { type Db, prepared } from "./handle.ts";

/**
 * Values of `ready`, written into the statements. SQLite compiles a statement anew for each value that is bound to a
 * parameter that may change its plan: one compared with what a partial index holds, and where the rows are ordered,
 * one compared with a column, and a limit. Compiling takes several times longer than running.
 */
const BACKING_OFF = sql.lit(0);
const READY = sql.lit(1);
const PARKED = sql.lit(2);

/** A parameter whose value SQLite does not look at before it runs the statement. */
const hidden = (parameter: number) => sql<number>`cast(${parameter} as integer)`;

/** Classes that one statement asks for their heads; a longer list is asked in parts. */
const CLASSES_PER_STATEMENT = 100;
/** Up to so many classes are asked one by one. */
const CLASSES_ONE_BY_ONE = 8;

/** Jobs of one class that a search looks at when the first of them cannot be taken. */
const SEARCH_WINDOW = 64;

/** A job that is among the next of its class. */
export type Head = Pick<QueueTable, "job_id" | "requirement_id" | "priority" | "client_number" | "order_key">;

/** What a search goes by, beside the keys in the rows. */
export interface Choice {
  /**
   * Why a job is passed over now: its client runs as many as it may, jobs of its client that come before it are being
   * brought back, it waits a moment for another miner, or another claim of it is under way.
   */
  readonly whyNot: (head: Head) => "client" | "return" | "miner" | "claim" | undefined;
  /** Claims under way: so many more jobs of a class are looked at. */
  readonly claimed: number;
  /** Of the jobs of a class that claims are about to take, the one that comes last. */
  readonly lastClaimed: (requirementId: number) => Head | undefined;
  /** Compares the first jobs of classes: the smallest goes first, of equal ones the oldest. */
  readonly rank: (head: Head) => number;
}

/** What a search found. */
export interface Found {
  readonly head: Head | undefined;
  /** Jobs of clients that run as many as they may, where they hide what lies behind them. */
  readonly crowding: readonly Head[];
}

const HEAD_COLUMNS = [
  "q.job_id",
  "q.requirement_id",
  "q.priority",
  "q.client_number",
  "q.order_key",
] as const;

interface Window {
  readonly requirement_id: number;
  /** Rows from the first on. */
  readonly limit: number;
}

const selectWindow = prepared<Window>()((db, p) =>
  db
    .selectFrom("coordinator_queue as q")
    .select(HEAD_COLUMNS)
    .where("q.requirement_id", "=", hidden(p("requirement_id")))
    .where("q.ready", "=", READY)
    .orderBy("q.order_key")
    .orderBy("q.job_id")
    .limit(hidden(p("limit"))),
);

type Place = Pick<QueueTable, "requirement_id" | "order_key" | "job_id">;

/** The first job after a place. */
const selectAfter = prepared<Place>()((db, p) =>
  db
    .selectFrom("coordinator_queue as q")
    .select(HEAD_COLUMNS)
    .where("q.requirement_id", "=", hidden(p("requirement_id")))
    .where("q.ready", "=", READY)
    .where((e) => e(e.refTuple("q.order_key", "q.job_id"), ">", e.tuple(p("order_key"), p("job_id"))))
    .orderBy("q.order_key")
    .orderBy("q.job_id")
    .limit(sql.lit(1)),
);

/** As `selectWindow`, among the jobs that nobody has begun to answer. */
const selectFreshWindow = prepared<Window>()((db, p) =>
  db
    .selectFrom("coordinator_queue as q")
    .innerJoin("coordinator_job as j", "j.job_id", "q.job_id")
    .select(HEAD_COLUMNS)
    .where("q.requirement_id", "=", hidden(p("requirement_id")))
    .where("q.ready", "=", READY)
    .where("j.delivered_bytes", "=", sql.lit(0))
    .orderBy("q.order_key")
    .orderBy("q.job_id")
    .limit(hidden(p("limit"))),
);

/** The next job of each class in one statement: a class costs a few descents to the same place of the claim index. */
function listHeads(db: Db, requirementIds: readonly number[]): Promise<Head[]> {
  return db
    .selectFrom("coordinator_requirement as r")
    .innerJoin("coordinator_queue as q", (join) =>
      join
        .onRef("q.requirement_id", "=", "r.requirement_id")
        .on("q.ready", "=", READY)
        .on("q.order_key", "=", (e) =>
          e
            .selectFrom("coordinator_queue as head")
            .select("head.order_key")
            .whereRef("head.requirement_id", "=", "r.requirement_id")
            .where("head.ready", "=", READY)
            .orderBy("head.order_key")
            .limit(1),
        )
        .on("q.job_id", "=", (e) =>
          e
            .selectFrom("coordinator_queue as head")
            .select("head.job_id")
            .whereRef("head.requirement_id", "=", "r.requirement_id")
            .where("head.ready", "=", READY)
            .orderBy("head.order_key")
            .orderBy("head.job_id")
            .limit(1),
        ),
    )
    .select(HEAD_COLUMNS)
    .where("r.requirement_id", "in", requirementIds)
    .execute();
}

/** The first jobs of the classes; `fresh`: that nobody has begun to answer. */
async function readHeads(db: Db, requirementIds: readonly number[], fresh: boolean): Promise<Head[]> {
  const heads: Head[] = [];
  // A prepared statement a class takes less time than a statement for all of them, up to some.
  if (fresh || requirementIds.length <= CLASSES_ONE_BY_ONE) {
    const select = fresh ? selectFreshWindow : selectWindow;
    for (const requirement_id of requirementIds) {
      const head = await select.first(db, { requirement_id, limit: 1 });
      if (head) heads.push(head);
    }
    return heads;
  }
  for (let from = 0; from < requirementIds.length; from += CLASSES_PER_STATEMENT) {
    heads.push(...(await listHeads(db, requirementIds.slice(from, from + CLASSES_PER_STATEMENT))));
  }
  return heads;
}

/**
 * The job that comes next among the classes. `fresh`: of those that nobody has begun to answer, for miners that
 * cannot continue a text.
 */
export async function findNext(
  db: Db,
  requirementIds: readonly number[],
  choice: Choice,
  fresh = false,
): Promise<Found> {
  let best: Head | undefined;
  let bestRank = Number.POSITIVE_INFINITY;
  const crowding: Head[] = [];
  for (const first of await readHeads(db, requirementIds, fresh)) {
    const head =
      choice.whyNot(first) === undefined ? first : await passOver(db, first, choice, fresh, crowding);
    if (!head) continue;
    const rank = choice.rank(head);
    if (!best || rank < bestRank || (rank === bestRank && head.job_id < best.job_id)) {
      [best, bestRank] = [head, rank];
    }
  }
  return { head: best, crowding };
}

/** The first job behind one that cannot be taken. */
async function passOver(
  db: Db,
  first: Head,
  choice: Choice,
  fresh: boolean,
  crowding: Head[],
): Promise<Head | undefined> {
  const { requirement_id } = first;
  // Where claims take one job after the other, the next one stands behind them all. One that came between them is
  // found when those before it are gone.
  const last = choice.whyNot(first) === "claim" && !fresh ? choice.lastClaimed(requirement_id) : undefined;
  const next = last && (await selectAfter.first(db, last));
  if (next && choice.whyNot(next) === undefined) return next;
  const limit = SEARCH_WINDOW + choice.claimed;
  const window = await (fresh ? selectFreshWindow : selectWindow).all(db, { requirement_id, limit });
  const reasons = window.map((head) => choice.whyNot(head));
  const found = window[reasons.indexOf(undefined)];
  if (!found && window.length === limit) {
    crowding.push(...window.filter((_, index) => reasons[index] === "client"));
  }
  return found;
}

/** Sets jobs aside that wait for others of their clients to end. */
export async function park(tx: Db, jobIds: readonly string[]): Promise<void> {
  await tx
    .updateTable("coordinator_queue")
    .set({ ready: 2 })
    .where("job_id", "in", jobIds)
    .where("ready", "=", READY)
    .execute();
}

/** Lets jobs of a client be found again, the first of each class; in which classes there were any. */
export async function unpark(tx: Db, clientNumber: number, perClass: number): Promise<number[]> {
  const classes: number[] = [];
  for (let after = -1; ; ) {
    const next: { requirement_id: number } | undefined = await tx
      .selectFrom("coordinator_queue")
      .select("requirement_id")
      .where("ready", "=", PARKED)
      .where("client_number", "=", clientNumber)
      .where("requirement_id", ">", after)
      .orderBy("requirement_id")
      .limit(1)
      .executeTakeFirst();
    if (!next) return classes;
    after = next.requirement_id;
    classes.push(after);
    await tx
      .updateTable("coordinator_queue")
      .set({ ready: 1 })
      .where("job_id", "in", (e) =>
        e
          .selectFrom("coordinator_queue as first")
          .select("first.job_id")
          .where("first.ready", "=", PARKED)
          .where("first.client_number", "=", clientNumber)
          .where("first.requirement_id", "=", after)
          .orderBy("first.order_key")
          .limit(perClass),
      )
      .execute();
  }
}

/** Lets all jobs be found again that were set aside. */
export async function unparkAll(tx: Db): Promise<void> {
  await tx.updateTable("coordinator_queue").set({ ready: 1 }).where("ready", "=", PARKED).execute();
}

/** What waits, by class, client and priority, with the smallest and the largest key. */
export function listFlows(db: Db) {
  return db
    .selectFrom("coordinator_queue")
    .select((e) => [
      "requirement_id",
      "client_number",
      "priority",
      e.fn.countAll<number>().as("jobs"),
      e.fn.min("order_key").as("first"),
      e.fn.max("order_key").as("last"),
    ])
    .groupBy(["requirement_id", "client_number", "priority"])
    .execute();
}

/** How many jobs of its class are served before a place in the queue, counted up to `bound`. */
export async function countBefore(
  db: Db,
  place: Pick<QueueTable, "job_id" | "requirement_id" | "order_key">,
  bound: number,
): Promise<number> {
  const row = await db
    .selectFrom((e) =>
      e
        .selectFrom("coordinator_queue")
        .select("job_id")
        .where("requirement_id", "=", place.requirement_id)
        .where("ready", "=", READY)
        .where((w) =>
          w.or([
            w("order_key", "<", place.order_key),
            w.and([w("order_key", "=", place.order_key), w("job_id", "<", place.job_id)]),
          ]),
        )
        .limit(bound)
        .as("ahead"),
    )
    .select((e) => e.fn.countAll<number>().as("count"))
    .executeTakeFirstOrThrow();
  return row.count;
}

const selectPlace = prepared<{ job_id: string }>()((db, p) =>
  db.selectFrom("coordinator_queue").selectAll().where("job_id", "=", p("job_id")),
);

/** A waiting job's place in the queue. */
export function findPlace(db: Db, jobId: string): Promise<QueueTable | undefined> {
  return selectPlace.first(db, { job_id: jobId });
}

/** Entries whose time has come: to expire (ready) or to become ready, oldest first. */
export function listDue(db: Db, now: number, limit: number): Promise<QueueTable[]> {
  return db
    .selectFrom("coordinator_queue")
    .selectAll()
    .where("wake_at", "<=", now)
    .orderBy("wake_at")
    .limit(limit)
    .execute();
}

/** Ends the back-off of a job; whether it still waited. It expires no more: it was claimed before. */
export async function markReady(tx: Db, jobId: string): Promise<boolean> {
  const result = await tx
    .updateTable("coordinator_queue")
    .set({ ready: 1, wake_at: null })
    .where("job_id", "=", jobId)
    .where("ready", "=", BACKING_OFF)
    .executeTakeFirst();
  return result.numUpdatedRows === 1n;
}

/** All classes of needs. */
export function listRequirements(db: Db): Promise<RequirementTable[]> {
  return db.selectFrom("coordinator_requirement").selectAll().orderBy("requirement_id").execute();
}

/** Interns a class and returns its id. */
export async function internRequirement(
  tx: Db,
  requirement: Omit<RequirementTable, "requirement_id">,
): Promise<number> {
  await tx
    .insertInto("coordinator_requirement")
    .values((e) => ({
      ...requirement,
      requirement_id: e
        .selectFrom("coordinator_requirement")
        .select((s) => s(s.fn.coalesce(s.fn.max("requirement_id"), s.lit(0)), "+", 1).as("id")),
    }))
    .onConflict((conflict) => conflict.column("digest").doNothing())
    .execute();
  const row = await tx
    .selectFrom("coordinator_requirement")
    .select("requirement_id")
    .where("digest", "=", requirement.digest)
    .executeTakeFirstOrThrow();
  return row.requirement_id;
}

/** Removes classes that no waiting or running job has, but those in `keep`. Returns the ids removed. */
export async function pruneRequirements(tx: Db, keep: readonly number[]): Promise<number[]> {
  const unused = await tx
    .selectFrom("coordinator_requirement as r")
    .select("r.requirement_id")
    .where((e) =>
      e.not(
        e.exists(
          e
            .selectFrom("coordinator_queue as q")
            .select("q.job_id")
            .whereRef("q.requirement_id", "=", "r.requirement_id"),
        ),
      ),
    )
    .where("r.requirement_id", "not in", (e) =>
      e.selectFrom("coordinator_job").select("requirement_id").where("instance", "is not", null),
    )
    .execute();
  const kept = new Set(keep);
  const ids = unused.map((row) => row.requirement_id).filter((id) => !kept.has(id));
  for (const id of ids) {
    await tx.deleteFrom("coordinator_requirement").where("requirement_id", "=", id).execute();
  }
  return ids;
}
