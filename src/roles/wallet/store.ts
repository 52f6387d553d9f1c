import type { Kysely } from "kysely";
import type { AccessTable, EventTable, WalletTables } from "./tables.ts";

/** A handle on the wallet's tables: for reads, or of one operation. */
export type Db = Kysely<WalletTables>;

export type NewAccess = Omit<AccessTable, "seq">;

export async function insertAccess(tx: Db, entry: NewAccess): Promise<void> {
  await tx.insertInto("wallet_access").values(entry).execute();
}

/** Entries after a number, oldest first. */
export function listAccess(db: Db, after: number, limit: number) {
  return db
    .selectFrom("wallet_access")
    .selectAll()
    .where("seq", ">", after)
    .orderBy("seq")
    .limit(limit)
    .execute();
}

export type NewEvent = Omit<EventTable, "seq">;

export async function insertEvent(tx: Db, event: NewEvent): Promise<void> {
  await tx.insertInto("wallet_event").values(event).execute();
}

/** Events after a number, oldest first. */
export function listEvents(db: Db, after: number, limit: number) {
  return db
    .selectFrom("wallet_event")
    .selectAll()
    .where("seq", ">", after)
    .orderBy("seq")
    .limit(limit)
    .execute();
}
