import type { Kysely } from "kysely";
import type { AccessTable, EventTable, WalletTables } from "./tables.ts";

/** A handle on the wallet's tables: for reads, or of one operation. */
export type Db = Kysely<WalletTables>;

/** Calls that still count against a limit, oldest first, Unix ms. */
export async function findPasswordCalls(db: Db, slot: string): Promise<readonly number[]> {
  const row = await db
    .selectFrom("wallet_password_calls")
    .select("calls")
    .where("slot", "=", slot)
    .executeTakeFirst();
  // Written by `putPasswordCalls`.
  return row ? (JSON.parse(row.calls) as number[]) : [];
}

/** Keeps the calls of a slot, and forgets slots that were last called before `forgetBefore`. */
export async function putPasswordCalls(
  tx: Db,
  slot: string,
  calls: readonly number[],
  { now, forgetBefore }: { readonly now: number; readonly forgetBefore: number },
): Promise<void> {
  await tx.deleteFrom("wallet_password_calls").where("updated_at", "<", forgetBefore).execute();
  const written = { calls: JSON.stringify(calls), updated_at: now };
  await tx
    .insertInto("wallet_password_calls")
    .values({ slot, ...written })
    .onConflict((conflict) => conflict.column("slot").doUpdateSet(written))
    .execute();
}

/** Wrong passwords in a row, and until when none is tried (Unix ms). */
export interface Backoff {
  readonly failures: number;
  readonly blocked_until: number;
}

const NO_FAILURES: Backoff = { failures: 0, blocked_until: 0 };

export async function findBackoff(db: Db, walletId: string): Promise<Backoff> {
  const row = await db
    .selectFrom("wallet_backoff")
    .select(["failures", "blocked_until"])
    .where("wallet_id", "=", walletId)
    .executeTakeFirst();
  return row ?? NO_FAILURES;
}

export async function putBackoff(tx: Db, walletId: string, backoff: Backoff): Promise<void> {
  if (backoff.failures === 0) {
    await tx.deleteFrom("wallet_backoff").where("wallet_id", "=", walletId).execute();
    return;
  }
  await tx
    .insertInto("wallet_backoff")
    .values({ wallet_id: walletId, ...backoff })
    .onConflict((conflict) => conflict.column("wallet_id").doUpdateSet({ ...backoff }))
    .execute();
}

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
