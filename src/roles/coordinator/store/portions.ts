import type { ChunkTable } from "../tables.ts";
import { insertChunk, storeProgress } from "./delivery.ts";
import type { Db } from "./handle.ts";
import { holdsLease } from "./lease-fence.ts";

/** The rows of what one lease has delivered since its last portion. */
export interface PortionRows {
  readonly job_id: string;
  readonly token: number;
  readonly chunks: readonly Pick<ChunkTable, "seq" | "start_byte" | "text">[];
  /** JSON of the last signed progress, when it is new. */
  readonly progress: string | null;
}

/** Stores the text and progress of a portion. The caller has fenced the lease in the same operation. */
export async function storePortion(tx: Db, { job_id, token, chunks, progress }: PortionRows): Promise<void> {
  for (const chunk of chunks) await insertChunk(tx, { job_id, token, ...chunk });
  if (progress !== null) await storeProgress(tx, { job_id, token, progress });
}

/** Stores portions; which of them: a lost lease refuses its own portion only. */
export async function storePortions(tx: Db, portions: readonly PortionRows[]): Promise<boolean[]> {
  const held: boolean[] = [];
  for (const portion of portions) {
    const holds = await holdsLease(tx, portion);
    if (holds) await storePortion(tx, portion);
    held.push(holds);
  }
  return held;
}
