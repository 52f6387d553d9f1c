import type { Kysely } from "kysely";
import type { AccessTables, KeyTable } from "./tables.ts";

type Db = Kysely<AccessTables>;

/** All keys, revoked ones included. */
export function listKeys(db: Db): Promise<KeyTable[]> {
  return db.selectFrom("access_key").selectAll().execute();
}

export async function insertKey(tx: Db, key: KeyTable): Promise<void> {
  await tx.insertInto("access_key").values(key).execute();
}

/** Revokes a key from `at` on (Unix ms). */
export async function revokeKey(tx: Db, keyId: string, at: number): Promise<void> {
  await tx.updateTable("access_key").set({ revoked_at: at }).where("key_id", "=", keyId).execute();
}
