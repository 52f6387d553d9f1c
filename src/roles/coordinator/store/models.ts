import type { ModelTable } from "../tables.ts";
import type { Db } from "./handle.ts";

/** The models that miners have offered, the newest `limit` of them. */
export function listModels(db: Db, limit: number): Promise<ModelTable[]> {
  return db
    .selectFrom("coordinator_model")
    .selectAll()
    .orderBy("first_seen_at", "desc")
    .orderBy("name")
    .limit(limit)
    .execute();
}

/** Keeps models, and forgets others by their names. */
export async function noteModels(
  tx: Db,
  models: readonly ModelTable[],
  forgotten: readonly string[],
): Promise<void> {
  await insertModels(tx, models);
  for (const name of forgotten) await deleteModel(tx, name);
}

/** Keeps models; of those that are known the first time stays. */
async function insertModels(tx: Db, models: readonly ModelTable[]): Promise<void> {
  await tx
    .insertInto("coordinator_model")
    .values([...models])
    .onConflict((conflict) => conflict.column("name").doNothing())
    .execute();
}

/** Forgets a model. */
async function deleteModel(tx: Db, name: string): Promise<void> {
  await tx.deleteFrom("coordinator_model").where("name", "=", name).execute();
}
