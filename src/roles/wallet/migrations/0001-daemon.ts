import { type Kysely, sql } from "kysely";
import { clusteredTable, strictTable } from "../../../kernel/db/schema.ts";

/** Tables whose rows nothing may change or delete, whoever asks. */
const APPEND_ONLY = ["wallet_access", "wallet_event"];

/** Limits of passwords, what was done with keys, and receipts with what they are worth. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await clusteredTable(db, "wallet_password_calls")
    .addColumn("slot", "text", (c) => c.primaryKey().notNull())
    .addColumn("calls", "text", (c) => c.notNull())
    .addColumn("updated_at", "integer", (c) => c.notNull())
    .execute();
  await clusteredTable(db, "wallet_backoff")
    .addColumn("wallet_id", "text", (c) => c.primaryKey().notNull())
    .addColumn("failures", "integer", (c) => c.notNull())
    .addColumn("blocked_until", "integer", (c) => c.notNull())
    .execute();

  await strictTable(db, "wallet_access")
    .addColumn("seq", "integer", (c) => c.primaryKey().notNull())
    .addColumn("at", "integer", (c) => c.notNull())
    .addColumn("operation", "text", (c) => c.notNull())
    .addColumn("wallet_id", "text")
    .addColumn("session_id", "text")
    .addColumn("via", "text", (c) => c.notNull())
    .addColumn("outcome", "text", (c) => c.notNull())
    .addColumn("request_id", "text", (c) => c.notNull())
    .execute();
  await strictTable(db, "wallet_event")
    .addColumn("seq", "integer", (c) => c.primaryKey().notNull())
    .addColumn("at", "integer", (c) => c.notNull())
    .addColumn("event", "text", (c) => c.notNull())
    .addColumn("data", "text", (c) => c.notNull())
    .execute();
  for (const table of APPEND_ONLY) {
    for (const change of ["update", "delete"]) {
      await sql`create trigger ${sql.ref(`${table}_no_${change}`)} before ${sql.raw(change)} on ${sql.table(table)}
        begin select raise(abort, 'rows are only added here'); end`.execute(db);
    }
  }

  await clusteredTable(db, "wallet_source")
    .addColumn("source", "text", (c) => c.primaryKey().notNull())
    .addColumn("newest_job", "text", (c) => c.notNull())
    .execute();
  await strictTable(db, "wallet_job")
    .addColumn("seq", "integer", (c) => c.primaryKey().notNull())
    .addColumn("source", "text", (c) => c.notNull())
    .addColumn("job_id", "text", (c) => c.notNull())
    .addColumn("cursor", "text")
    .addColumn("complete", "integer", (c) => c.notNull())
    .addColumn("receipts", "integer", (c) => c.notNull())
    .addColumn("verified", "integer", (c) => c.notNull())
    .addColumn("failure_reasons", "text", (c) => c.notNull())
    .addColumn("updated_at", "integer", (c) => c.notNull())
    .addUniqueConstraint("wallet_job_id", ["job_id", "source"])
    .execute();
  // What is still to be read is little among all that was.
  await db.schema
    .createIndex("wallet_job_open")
    .on("wallet_job")
    .columns(["source", "complete", "seq"])
    .execute();

  await strictTable(db, "wallet_receipt")
    .addColumn("seq", "integer", (c) => c.primaryKey().notNull())
    .addColumn("source", "text", (c) => c.notNull())
    .addColumn("job_id", "text", (c) => c.notNull())
    .addColumn("receipt_id", "text", (c) => c.notNull())
    .addColumn("document_sha256", "text", (c) => c.notNull())
    .addColumn("receipt_hash", "text")
    .addColumn("all_valid", "integer", (c) => c.notNull())
    .addColumn("received_at", "integer", (c) => c.notNull())
    .addColumn("checks", "text", (c) => c.notNull())
    // Last, because it is long.
    .addColumn("document", "text", (c) => c.notNull())
    .addUniqueConstraint("wallet_receipt_document", ["job_id", "source", "document_sha256"])
    .execute();
}
