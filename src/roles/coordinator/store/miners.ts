import type { MinerTable } from "../tables.ts";
import type { Db } from "./handle.ts";

/** Records a miner's registration; the first one keeps its time. */
export async function upsertMiner(tx: Db, miner: MinerTable): Promise<void> {
  const { miner_id: _id, registered_at: _first, ...changing } = miner;
  await tx
    .insertInto("coordinator_miner")
    .values(miner)
    .onConflict((conflict) => conflict.column("miner_id").doUpdateSet(changing))
    .execute();
}

export function findMiner(db: Db, minerId: string): Promise<MinerTable | undefined> {
  return db.selectFrom("coordinator_miner").selectAll().where("miner_id", "=", minerId).executeTakeFirst();
}
