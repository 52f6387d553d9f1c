import type { IdempotencyTable } from "../tables.ts";
import { type Db, prepared } from "./handle.ts";

const insertRow = prepared<IdempotencyTable>()((db, p) =>
  db
    .insertInto("coordinator_idempotency")
    .values({
      owner_id: p("owner_id"),
      method: p("method"),
      path: p("path"),
      idempotency_key: p("idempotency_key"),
      body_sha256: p("body_sha256"),
      status: p("status"),
      response: p("response"),
      created_at: p("created_at"),
    })
    .onConflict((conflict) =>
      conflict.columns(["owner_id", "idempotency_key", "method", "path"]).doNothing(),
    ),
);

type Slot = Pick<IdempotencyTable, "owner_id" | "method" | "path" | "idempotency_key">;

const selectRow = prepared<Slot>()((db, p) =>
  db
    .selectFrom("coordinator_idempotency")
    .selectAll()
    .where("owner_id", "=", p("owner_id"))
    .where("idempotency_key", "=", p("idempotency_key"))
    .where("method", "=", p("method"))
    .where("path", "=", p("path")),
);

/** Takes the key for this answer. Returns undefined when it was free, else the answer that holds it. */
export async function takeIdempotencyKey(
  tx: Db,
  row: IdempotencyTable,
): Promise<IdempotencyTable | undefined> {
  if ((await insertRow.run(tx, row)) === 1) return undefined;
  return selectRow.first(tx, row);
}

/** Forgets keys older than `before` (Unix ms), at most `limit` at once; how many. */
export async function forgetIdempotencyKeys(tx: Db, before: number, limit: number): Promise<number> {
  const old = await tx
    .selectFrom("coordinator_idempotency")
    .select(["owner_id", "method", "path", "idempotency_key"])
    .where("created_at", "<", before)
    .orderBy("created_at")
    .limit(limit)
    .execute();
  for (const row of old) {
    await tx
      .deleteFrom("coordinator_idempotency")
      .where("owner_id", "=", row.owner_id)
      .where("idempotency_key", "=", row.idempotency_key)
      .where("method", "=", row.method)
      .where("path", "=", row.path)
      .execute();
  }
  return old.length;
}
