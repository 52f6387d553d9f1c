import type { Kysely } from "kysely";
import { clusteredTable, strictTable } from "../../../kernel/db/schema.ts";

/** Jobs, their queue, what was delivered, and what was signed. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await strictTable(db, "coordinator_job")
    .addColumn("job_id", "text", (c) => c.primaryKey().notNull())
    .addColumn("client_id", "text", (c) => c.notNull())
    .addColumn("kind", "text", (c) => c.notNull())
    .addColumn("model", "text")
    .addColumn("requirement_id", "integer", (c) => c.notNull())
    .addColumn("priority", "integer", (c) => c.notNull())
    .addColumn("state", "text", (c) => c.notNull())
    .addColumn("token", "integer", (c) => c.notNull())
    .addColumn("attempts", "integer", (c) => c.notNull())
    .addColumn("max_attempts", "integer", (c) => c.notNull())
    .addColumn("max_run_ms", "integer", (c) => c.notNull())
    .addColumn("run_ms", "integer", (c) => c.notNull())
    .addColumn("instance", "text")
    .addColumn("miner_id", "text")
    .addColumn("requested_at", "integer", (c) => c.notNull())
    .addColumn("expires_at", "integer", (c) => c.notNull())
    .addColumn("started_at", "integer")
    .addColumn("completed_at", "integer")
    .addColumn("delivered_bytes", "integer", (c) => c.notNull())
    .addColumn("last_seq", "integer", (c) => c.notNull())
    .addColumn("settled_units", "integer", (c) => c.notNull())
    .addColumn("unit_price", "integer", (c) => c.notNull())
    .addColumn("price_uait", "integer", (c) => c.notNull())
    .addColumn("finish_reason", "text")
    .addColumn("usage", "text")
    .addColumn("error", "text")
    // Last, because they can be long: a reader of the columns before them touches one page a job.
    .addColumn("constraints", "text", (c) => c.notNull())
    .addColumn("payload", "text", (c) => c.notNull())
    .execute();
  // A client's jobs in the order of submission. Nothing in it ever changes, so only submissions write it.
  await db.schema
    .createIndex("coordinator_job_client")
    .on("coordinator_job")
    .columns(["client_id", "job_id"])
    .execute();
  // Running jobs are found at start-up; there are never many of them.
  await db.schema
    .createIndex("coordinator_job_instance")
    .on("coordinator_job")
    .column("instance")
    .where("instance" as never, "is not", null)
    .execute();

  await clusteredTable(db, "coordinator_queue")
    .addColumn("job_id", "text", (c) => c.primaryKey().notNull())
    .addColumn("requirement_id", "integer", (c) => c.notNull())
    .addColumn("priority", "integer", (c) => c.notNull())
    .addColumn("ready", "integer", (c) => c.notNull())
    .addColumn("wake_at", "integer")
    .execute();
  // A claim reads the head of each class that fits: ids sort by time, so the order is first in, first out.
  await db.schema
    .createIndex("coordinator_queue_claim")
    .on("coordinator_queue")
    .columns(["requirement_id", "ready", "priority desc", "job_id"])
    .execute();
  await db.schema.createIndex("coordinator_queue_wake").on("coordinator_queue").column("wake_at").execute();

  await strictTable(db, "coordinator_requirement")
    .addColumn("requirement_id", "integer", (c) => c.primaryKey().notNull())
    .addColumn("digest", "text", (c) => c.notNull().unique())
    .addColumn("kind", "text", (c) => c.notNull())
    .addColumn("model", "text")
    .addColumn("constraints", "text", (c) => c.notNull())
    .execute();

  await strictTable(db, "coordinator_chunk")
    .addColumn("job_id", "text", (c) => c.notNull())
    // Numbered by the database, as SQLite does with an integer key.
    .addColumn("seq", "integer", (c) => c.notNull())
    .addColumn("token", "integer", (c) => c.notNull())
    .addColumn("start_byte", "integer", (c) => c.notNull())
    .addColumn("text", "text", (c) => c.notNull())
    .addPrimaryKeyConstraint("coordinator_chunk_pk", ["job_id", "seq"])
    .execute();

  await strictTable(db, "coordinator_segment")
    .addColumn("job_id", "text", (c) => c.notNull())
    .addColumn("token", "integer", (c) => c.notNull())
    .addColumn("miner_id", "text", (c) => c.notNull())
    .addColumn("start_byte", "integer", (c) => c.notNull())
    .addColumn("end_byte", "integer")
    .addColumn("started_at", "integer", (c) => c.notNull())
    .addColumn("ended_at", "integer")
    .addColumn("outcome", "text")
    .addColumn("terms", "text", (c) => c.notNull())
    .addColumn("progress", "text")
    .addColumn("receipt_id", "text")
    .addPrimaryKeyConstraint("coordinator_segment_pk", ["job_id", "token"])
    .execute();
  // What a miner ran, in the order of submission.
  await db.schema
    .createIndex("coordinator_segment_miner")
    .on("coordinator_segment")
    .columns(["miner_id", "job_id", "token"])
    .execute();

  await strictTable(db, "coordinator_receipt")
    .addColumn("receipt_id", "text", (c) => c.primaryKey().notNull())
    .addColumn("job_id", "text", (c) => c.notNull())
    .addColumn("token", "integer", (c) => c.notNull())
    .addColumn("hash", "text", (c) => c.notNull().unique())
    .addColumn("start_byte", "integer", (c) => c.notNull())
    .addColumn("end_byte", "integer", (c) => c.notNull())
    .addColumn("units", "integer", (c) => c.notNull())
    .addColumn("price_uait", "integer", (c) => c.notNull())
    .addColumn("document", "text", (c) => c.notNull())
    .addColumn("issued_at", "integer", (c) => c.notNull())
    .addUniqueConstraint("coordinator_receipt_segment", ["job_id", "token"])
    .execute();

  await strictTable(db, "coordinator_answer")
    .addColumn("job_id", "text", (c) => c.primaryKey().notNull())
    .addColumn("token", "integer", (c) => c.notNull())
    .addColumn("sha256", "text", (c) => c.notNull())
    .addColumn("document", "text", (c) => c.notNull())
    .execute();

  await strictTable(db, "coordinator_idempotency")
    // Numbered by the database, as SQLite does with an integer key.
    .addColumn("seq", "integer", (c) => c.primaryKey().notNull())
    .addColumn("slot", "blob", (c) => c.notNull().unique())
    .addColumn("body_sha256", "text", (c) => c.notNull())
    .addColumn("job_id", "text", (c) => c.notNull())
    .addColumn("priority", "integer", (c) => c.notNull())
    .addColumn("created_at", "integer", (c) => c.notNull())
    .execute();

  await strictTable(db, "coordinator_miner")
    .addColumn("miner_id", "text", (c) => c.primaryKey().notNull())
    .addColumn("public_key", "text", (c) => c.notNull())
    .addColumn("key_id", "text", (c) => c.notNull())
    .addColumn("name", "text", (c) => c.notNull())
    .addColumn("region", "text")
    .addColumn("payout", "text")
    .addColumn("registered_at", "integer", (c) => c.notNull())
    .addColumn("last_seen_at", "integer", (c) => c.notNull())
    .addColumn("deactivated_at", "integer")
    .addColumn("jobs_completed", "integer", (c) => c.notNull().defaultTo(0))
    .addColumn("jobs_failed", "integer", (c) => c.notNull().defaultTo(0))
    .addColumn("jobs_canceled", "integer", (c) => c.notNull().defaultTo(0))
    .addColumn("units", "integer", (c) => c.notNull().defaultTo(0))
    .addColumn("earned_uait", "integer", (c) => c.notNull().defaultTo(0))
    .addColumn("busy_ms", "integer", (c) => c.notNull().defaultTo(0))
    .addColumn("last_receipt_id", "text")
    .execute();

  await strictTable(db, "coordinator_day")
    .addColumn("day", "integer", (c) => c.primaryKey().notNull())
    .addColumn("completed", "integer", (c) => c.notNull())
    .addColumn("failed", "integer", (c) => c.notNull())
    .addColumn("canceled", "integer", (c) => c.notNull())
    .addColumn("expired", "integer", (c) => c.notNull())
    .addColumn("leases", "integer", (c) => c.notNull())
    .addColumn("busy_ms", "integer", (c) => c.notNull())
    .addColumn("units", "integer", (c) => c.notNull())
    .addColumn("price_uait", "integer", (c) => c.notNull())
    .execute();

  await strictTable(db, "coordinator_template")
    .addColumn("owner_id", "text", (c) => c.notNull())
    .addColumn("name", "text", (c) => c.notNull())
    .addColumn("created_at", "integer", (c) => c.notNull())
    .addColumn("submission", "text", (c) => c.notNull())
    .addPrimaryKeyConstraint("coordinator_template_pk", ["owner_id", "name"])
    .execute();
}
