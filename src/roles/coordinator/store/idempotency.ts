import type { IdempotencyTable } from "../tables.ts";
import { type Db, prepared } from "./handle.ts";

type Answer = Omit<IdempotencyTable, "seq">;

const insertRow = prepared<Answer>()((db, p) =>
  db
    .insertInto("coordinator_idempotency")
    .values({
      slot: p("slot"),
      body_sha256: p("body_sha256"),
      status: p("status"),
      response: p("response"),
      created_at: p("created_at"),
    })
    .onConflict((conflict) => conflict.column("slot").doNothing()),
);

const selectRow = prepared<Pick<IdempotencyTable, "slot">>()((db, p) =>
  db
    .selectFrom("coordinator_idempotency")
    .select(["slot", "body_sha256", "status", "response", "created_at"])
    .where("slot", "=", p("slot")),
);

/** Takes the key for this answer. Returns undefined when it was free, else the answer that holds it. */
export async function takeIdempotencyKey(tx: Db, answer: Answer): Promise<Answer | undefined> {
  if ((await insertRow.run(tx, answer)) === 1) return undefined;
  return selectRow.first(tx, answer);
}

/** Forgets keys older than `before` (Unix ms), at most `limit` at once; how many. */
export async function forgetIdempotencyKeys(tx: Db, before: number, limit: number): Promise<number> {
  // Answers are stored in the order of their time, so the oldest lie at the beginning.
  const old = await tx
    .selectFrom("coordinator_idempotency")
    .select(["seq", "created_at"])
    .orderBy("seq")
    .limit(limit)
    .execute();
  const last = old.findLast((row) => row.created_at < before);
  if (!last) return 0;
  const result = await tx
    .deleteFrom("coordinator_idempotency")
    .where("seq", "<=", last.seq)
    .where("created_at", "<", before)
    .executeTakeFirst();
  return Number(result.numDeletedRows);
}
