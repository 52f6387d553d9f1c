import type { Kysely } from "kysely";
import { strictTable } from "../../../kernel/db/schema.ts";

/** API keys. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await strictTable(db, "access_key")
    .addColumn("key_id", "text", (c) => c.primaryKey().notNull())
    .addColumn("kind", "text", (c) => c.notNull())
    .addColumn("name", "text", (c) => c.notNull())
    .addColumn("owner_id", "text", (c) => c.notNull())
    .addColumn("digest", "text", (c) => c.notNull())
    .addColumn("created_at", "integer", (c) => c.notNull())
    .addColumn("revoked_at", "integer")
    .execute();
}
