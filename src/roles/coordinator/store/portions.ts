import type { ChunkTable } from "../tables.ts";
import { insertChunks, storeProgress } from "./delivery.ts";
import type { Db } from "./handle.ts";
import { holdLeases } from "./lease-fence.ts";

/** The rows of what one lease has delivered since its last portion. */
export interface PortionRows {
  readonly job_id: string;
  readonly token: number;
  readonly chunks: readonly Pick<ChunkTable, "seq" | "start_byte" | "text">[];
  /** JSON of the last signed progress, when it is new. */
  readonly progress: string | null;
}

/** Stores the text and progress of portions. The caller has fenced their leases in the same operation. */
export async function storeFencedPortions(tx: Db, portions: readonly PortionRows[]): Promise<void> {
  await insertChunks(
    tx,
    portions.flatMap(({ job_id, token, chunks }) => chunks.map((chunk) => ({ job_id, token, ...chunk }))),
  );
  for (const { job_id, token, progress } of portions) {
    if (progress !== null) await storeProgress(tx, { job_id, token, progress });
  }
}

/** As `storePortions`, of several flushes. */
export async function storeFlushes(
  tx: Db,
  flushes: readonly (readonly [portions: readonly PortionRows[]])[],
): Promise<boolean[][]> {
  const held = await storePortions(
    tx,
    flushes.flatMap(([portions]) => portions),
  );
  return flushes.map(([portions]) => held.splice(0, portions.length));
}

/** Stores portions; which of them: a lost lease refuses its own portion only. */
export async function storePortions(tx: Db, portions: readonly PortionRows[]): Promise<boolean[]> {
  const held = await holdLeases(tx, portions);
  await storeFencedPortions(
    tx,
    portions.filter((_, index) => held[index]),
  );
  return held;
}
