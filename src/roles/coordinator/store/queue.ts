import type { QueueTable, RequirementTable } from "../tables.ts";
import { type Db, prepared } from "./handle.ts";

/** Classes that one statement asks for their heads; a longer list is asked in parts. */
const CLASSES_PER_STATEMENT = 100;

type Head = Pick<QueueTable, "job_id" | "priority">;

const before = (a: Head, b: Head | undefined): boolean =>
  b === undefined || a.priority > b.priority || (a.priority === b.priority && a.job_id < b.job_id);

const selectHead = prepared<{ requirement_id: number }>()((db, p) =>
  db
    .selectFrom("coordinator_queue")
    .select(["job_id", "priority"])
    .where("requirement_id", "=", p("requirement_id"))
    .where("ready", "=", 1)
    .orderBy("priority", "desc")
    .orderBy("job_id")
    .limit(1),
);

const selectFreshHead = prepared<{ requirement_id: number }>()((db, p) =>
  db
    .selectFrom("coordinator_queue as q")
    .innerJoin("coordinator_job as j", "j.job_id", "q.job_id")
    .select(["q.job_id", "q.priority"])
    .where("q.requirement_id", "=", p("requirement_id"))
    .where("q.ready", "=", 1)
    .where("j.delivered_bytes", "=", 0)
    .orderBy("q.priority", "desc")
    .orderBy("q.job_id")
    .limit(1),
);

/** As `findNext`, among the jobs that nobody has begun to answer: for miners that cannot continue a text. */
export async function findNextFresh(db: Db, requirementIds: readonly number[]): Promise<string | undefined> {
  let next: Head | undefined;
  for (const requirement_id of requirementIds) {
    const head = await selectFreshHead.first(db, { requirement_id });
    if (head && before(head, next)) next = head;
  }
  return next?.job_id;
}

/** The next job of each class in one statement: a class costs one descent of the claim index. */
async function listHeads(db: Db, requirementIds: readonly number[]): Promise<Head[]> {
  return db
    .selectFrom("coordinator_requirement as r")
    .innerJoin("coordinator_queue as q", (join) =>
      join.on("q.job_id", "=", (e) =>
        e
          .selectFrom("coordinator_queue as head")
          .select("head.job_id")
          .whereRef("head.requirement_id", "=", "r.requirement_id")
          .where("head.ready", "=", 1)
          .orderBy("head.priority", "desc")
          .orderBy("head.job_id")
          .limit(1),
      ),
    )
    .select(["q.job_id", "q.priority"])
    .where("r.requirement_id", "in", requirementIds)
    .execute();
}

/** The job that comes next among the classes: the highest priority, then the one that waits longest. */
export async function findNext(db: Db, requirementIds: readonly number[]): Promise<string | undefined> {
  let next: Head | undefined;
  const [only] = requirementIds;
  if (requirementIds.length === 1 && only !== undefined) {
    next = await selectHead.first(db, { requirement_id: only });
  } else {
    for (let from = 0; from < requirementIds.length; from += CLASSES_PER_STATEMENT) {
      for (const head of await listHeads(db, requirementIds.slice(from, from + CLASSES_PER_STATEMENT))) {
        if (before(head, next)) next = head;
      }
    }
  }
  return next?.job_id;
}

/** How many jobs with the same needs stand before this one, counted up to `bound`. */
export async function countBefore(
  db: Db,
  job: Pick<QueueTable, "job_id" | "requirement_id" | "priority">,
  bound: number,
): Promise<number> {
  const row = await db
    .selectFrom((e) =>
      e
        .selectFrom("coordinator_queue")
        .select("job_id")
        .where("requirement_id", "=", job.requirement_id)
        .where("ready", "=", 1)
        .where((w) =>
          w.or([
            w("priority", ">", job.priority),
            w.and([w("priority", "=", job.priority), w("job_id", "<", job.job_id)]),
          ]),
        )
        .limit(bound)
        .as("before"),
    )
    .select((e) => e.fn.countAll<number>().as("count"))
    .executeTakeFirstOrThrow();
  return row.count;
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
    .where("ready", "=", 0)
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
