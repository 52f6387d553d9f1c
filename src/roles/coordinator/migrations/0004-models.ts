import type { Kysely } from "kysely";
import { strictTable } from "../../../kernel/db/schema.ts";

/** Models that miners have offered, so that a job for one of them waits though nobody is online. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await strictTable(db, "coordinator_model")
    .addColumn("name", "text", (c) => c.primaryKey().notNull())
    .addColumn("first_seen_at", "integer", (c) => c.notNull())
    .execute();
}
