import type { Kysely } from "kysely";

/** Since when a miner's owner keeps it from new jobs. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await db.schema.alterTable("coordinator_miner").addColumn("drained_at", "integer").execute();
}
