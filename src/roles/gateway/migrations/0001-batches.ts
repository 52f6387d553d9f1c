import type { Kysely } from "kysely";
import { clusteredTable, strictTable } from "../../../kernel/db/schema.ts";

/** Files, batches, and the lines of those that run. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await strictTable(db, "gateway_file")
    .addColumn("file_id", "text", (c) => c.primaryKey().notNull())
    .addColumn("owner_id", "text", (c) => c.notNull())
    .addColumn("sha256", "text", (c) => c.notNull())
    .addColumn("size_bytes", "integer", (c) => c.notNull())
    .addColumn("filename", "text", (c) => c.notNull())
    .addColumn("purpose", "text", (c) => c.notNull())
    .addColumn("created_at", "integer", (c) => c.notNull())
    .addColumn("expires_at", "integer", (c) => c.notNull())
    .execute();
  await db.schema
    .createIndex("gateway_file_owner")
    .on("gateway_file")
    .columns(["owner_id", "file_id"])
    .execute();
  await db.schema
    .createIndex("gateway_file_content")
    .on("gateway_file")
    .columns(["sha256", "owner_id"])
    .execute();
  await db.schema.createIndex("gateway_file_expiry").on("gateway_file").column("expires_at").execute();

  await strictTable(db, "gateway_batch")
    .addColumn("batch_id", "text", (c) => c.primaryKey().notNull())
    .addColumn("owner_id", "text", (c) => c.notNull())
    .addColumn("key_id", "text", (c) => c.notNull())
    .addColumn("idempotency_key", "text")
    .addColumn("body_sha256", "text", (c) => c.notNull())
    .addColumn("endpoint", "text", (c) => c.notNull())
    .addColumn("input_file_id", "text", (c) => c.notNull())
    .addColumn("input_sha256", "text", (c) => c.notNull())
    .addColumn("metadata", "text")
    .addColumn("model", "text")
    .addColumn("status", "text", (c) => c.notNull())
    .addColumn("outcome", "text")
    .addColumn("total", "integer", (c) => c.notNull())
    .addColumn("completed", "integer", (c) => c.notNull())
    .addColumn("failed", "integer", (c) => c.notNull())
    .addColumn("output_file_id", "text")
    .addColumn("error_file_id", "text")
    .addColumn("errors", "text")
    .addColumn("created_at", "integer", (c) => c.notNull())
    .addColumn("expires_at", "integer", (c) => c.notNull())
    .addColumn("in_progress_at", "integer")
    .addColumn("finalizing_at", "integer")
    .addColumn("completed_at", "integer")
    .addColumn("failed_at", "integer")
    .addColumn("expired_at", "integer")
    .addColumn("cancelling_at", "integer")
    .addColumn("cancelled_at", "integer")
    .execute();
  await db.schema
    .createIndex("gateway_batch_owner")
    .on("gateway_batch")
    .columns(["owner_id", "batch_id"])
    .execute();
  // The batches that run are few among all that ever ran.
  await db.schema.createIndex("gateway_batch_status").on("gateway_batch").column("status").execute();
  // Many nulls are allowed: most batches have no key.
  await db.schema
    .createIndex("gateway_batch_key")
    .on("gateway_batch")
    .columns(["owner_id", "idempotency_key"])
    .unique()
    .execute();

  await clusteredTable(db, "gateway_batch_line")
    .addColumn("batch_id", "text", (c) => c.notNull())
    .addColumn("line", "integer", (c) => c.notNull())
    .addColumn("custom_id", "text", (c) => c.notNull())
    .addColumn("start_byte", "integer", (c) => c.notNull())
    .addColumn("end_byte", "integer", (c) => c.notNull())
    .addColumn("state", "text", (c) => c.notNull())
    .addColumn("job_id", "text")
    .addColumn("failure", "text")
    .addPrimaryKeyConstraint("gateway_batch_line_pk", ["batch_id", "line"])
    .addUniqueConstraint("gateway_batch_line_custom_id", ["batch_id", "custom_id"])
    .execute();
}
