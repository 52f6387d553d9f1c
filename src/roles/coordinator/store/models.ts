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

/** Keeps models; of those that are known the first time stays. */
export async function insertModels(tx: Db, models: readonly ModelTable[]): Promise<void> {
  await tx
    .insertInto("coordinator_model")
    .values([...models])
    .onConflict((conflict) => conflict.column("name").doNothing())
    .execute();
}

/** Forgets a model. */
export async function deleteModel(tx: Db, name: string): Promise<void> {
  await tx.deleteFrom("coordinator_model").where("name", "=", name).execute();
}
