import type { Kysely } from "kysely";
import { clusteredTable, strictTable } from "../../../kernel/db/schema.ts";

/** The Idempotency-Keys before this migration. */
interface Before {
  coordinator_idempotency: {
    seq: number;
    slot: Uint8Array;
    body_sha256: string;
    job_id: string;
    priority: number;
    created_at: number;
  };
  coordinator_idempotency_key: Before["coordinator_idempotency"];
  coordinator_idempotency_slot: { slot: Uint8Array; seq: number };
  coordinator_idempotency_mark: { id: number; indexed_below: number };
}

/** Idempotency-Keys are stored in the order of their coming; an index in the order of slots follows in bulk. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await strictTable(db, "coordinator_idempotency_key")
    .addColumn("seq", "integer", (c) => c.primaryKey().notNull())
    .addColumn("slot", "blob", (c) => c.notNull())
    .addColumn("body_sha256", "text", (c) => c.notNull())
    .addColumn("job_id", "text", (c) => c.notNull())
    .addColumn("priority", "integer", (c) => c.notNull())
    .addColumn("created_at", "integer", (c) => c.notNull())
    .execute();
  await clusteredTable(db, "coordinator_idempotency_slot")
    .addColumn("slot", "blob", (c) => c.primaryKey().notNull())
    .addColumn("seq", "integer", (c) => c.notNull())
    .execute();
  await strictTable(db, "coordinator_idempotency_mark")
    .addColumn("id", "integer", (c) => c.primaryKey().notNull())
    .addColumn("indexed_below", "integer", (c) => c.notNull())
    .execute();

  // The type of the handle names the tables of this migration alone.
  const tables = db as Kysely<Before>;
  const columns = ["seq", "slot", "body_sha256", "job_id", "priority", "created_at"] as const;
  await tables
    .insertInto("coordinator_idempotency_key")
    .columns(columns)
    .expression(tables.selectFrom("coordinator_idempotency").select(columns).orderBy("seq"))
    .execute();
  await tables
    .insertInto("coordinator_idempotency_slot")
    .columns(["slot", "seq"])
    .expression(tables.selectFrom("coordinator_idempotency").select(["slot", "seq"]).orderBy("slot"))
    .execute();
  const { last } = await tables
    .selectFrom("coordinator_idempotency")
    .select((e) => e.fn.max("seq").as("last"))
    .executeTakeFirstOrThrow();
  await tables
    .insertInto("coordinator_idempotency_mark")
    .values({ id: 1, indexed_below: (last ?? 0) + 1 })
    .execute();
  await db.schema.dropTable("coordinator_idempotency").execute();
}
