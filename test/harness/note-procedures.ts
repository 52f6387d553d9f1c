import { setTimeout as sleep } from "node:timers/promises";
import type { Kysely } from "kysely";
import { defineProcedures, Procedures } from "../../src/kernel/db/procedures.ts";
import { AppError } from "../../src/kernel/errors.ts";
import type { NoteTables } from "./database.ts";

type Db = Kysely<NoteTables>;

export async function addNote(tx: Db, id: string, body: string): Promise<void> {
  await tx.insertInto("note").values({ id, body }).execute();
}

/** Adds a note, and refuses where there is another. */
export async function addFirstNote(tx: Db, id: string): Promise<void> {
  const row = await tx.selectFrom("note").select("id").executeTakeFirst();
  if (row) throw new AppError("CONFLICT_STATE", `there is ${row.id}`, { meta: { id: row.id } });
  await addNote(tx, id, "");
}

/** Adds a coin and returns its row: amounts are bigints. */
export async function addCoin(tx: Db, coin: NoteTables["coin"]): Promise<NoteTables["coin"] | undefined> {
  await tx.insertInto("coin").values(coin).execute();
  return tx.selectFrom("coin").selectAll().where("id", "=", coin.id).executeTakeFirst();
}

/** Breaks the rule that a body awaits nothing but SQL. */
export async function dawdle(_tx: Db): Promise<void> {
  await sleep(50);
}

export async function listNotes(tx: Db): Promise<string[]> {
  return (await tx.selectFrom("note").select("id").orderBy("id").execute()).map(({ id }) => id);
}

/** Ends the thread that it runs in. */
export async function crash(_tx: Db): Promise<void> {
  process.exit(3);
}

export function createNoteProcedures(): Procedures {
  const procedures = new Procedures();
  procedures.add("note", defineProcedures({ addNote, addFirstNote, addCoin, dawdle, listNotes, crash }));
  return procedures;
}
