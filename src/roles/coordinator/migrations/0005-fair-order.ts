import type { Kysely } from "kysely";

/** Waiting jobs in an order that is fair to their clients, and why a lease went to its miner. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await db.schema
    .alterTable("coordinator_queue")
    .addColumn("client_number", "integer", (c) => c.notNull().defaultTo(0))
    .execute();
  await db.schema
    .alterTable("coordinator_queue")
    .addColumn("order_key", "integer", (c) => c.notNull().defaultTo(0))
    .execute();
  await db.schema.dropIndex("coordinator_queue_claim").execute();
  // A claim reads the head of each class that fits: the smallest key, of equal ones the oldest job. All that it
  // looks at is in the index: in this order the rows of heads lie anywhere, a page for each.
  await db.schema
    .createIndex("coordinator_queue_claim")
    .on("coordinator_queue")
    .columns(["requirement_id", "ready", "order_key", "job_id", "priority", "client_number"])
    .execute();
  // Jobs that wait for others of their client to end: few clients have any.
  await db.schema
    .createIndex("coordinator_queue_parked")
    .on("coordinator_queue")
    .columns(["client_number", "requirement_id", "order_key"])
    .where("ready" as never, "=", 2)
    .execute();
  await db.schema.alterTable("coordinator_segment").addColumn("decision", "text").execute();
}
