import type { Kysely } from "kysely";
import { strictTable } from "../../../kernel/db/schema.ts";

/** Uploaded content, and which of it is a job's result. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await strictTable(db, "coordinator_artifact")
    .addColumn("sha256", "text", (c) => c.notNull())
    .addColumn("owner_id", "text", (c) => c.notNull())
    .addColumn("size_bytes", "integer", (c) => c.notNull())
    .addColumn("media_type", "text", (c) => c.notNull())
    .addColumn("created_at", "integer", (c) => c.notNull())
    .addColumn("expires_at", "integer", (c) => c.notNull())
    .addPrimaryKeyConstraint("coordinator_artifact_pk", ["sha256", "owner_id"])
    .execute();
  // An owner's sum is read with each upload.
  await db.schema
    .createIndex("coordinator_artifact_owner")
    .on("coordinator_artifact")
    .columns(["owner_id", "size_bytes"])
    .execute();
  await db.schema
    .createIndex("coordinator_artifact_expiry")
    .on("coordinator_artifact")
    .column("expires_at")
    .execute();

  await strictTable(db, "coordinator_artifact_result")
    .addColumn("job_id", "text", (c) => c.primaryKey().notNull())
    .addColumn("sha256", "text", (c) => c.notNull())
    .addColumn("size_bytes", "integer", (c) => c.notNull())
    .addColumn("media_type", "text", (c) => c.notNull())
    .execute();
  await db.schema
    .createIndex("coordinator_artifact_result_sha256")
    .on("coordinator_artifact_result")
    .column("sha256")
    .execute();
}
