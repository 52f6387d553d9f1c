/** The store's threads: what `startStoreThread` starts. */
import { parentPort, workerData } from "node:worker_threads";
import { serveCheckpoints } from "../kernel/db/checkpoints.ts";
import type { StoreThread } from "../kernel/db/database.ts";
import { serveWriter } from "../kernel/db/serve-writer.ts";
import { loadAddonFile } from "./load-addon.ts";
import { createProcedures } from "./procedures.ts";

/** What a thread is started with. */
export interface StoreThreadData {
  readonly job: StoreThread;
  /** The file of SQLite's add-on; null: the package's own. */
  readonly sqliteAddon: string | null;
}

if (parentPort) {
  // `startStoreThread` has written it.
  const { job, sqliteAddon } = workerData as StoreThreadData;
  const nativeBinding = sqliteAddon === null ? undefined : loadAddonFile(sqliteAddon);
  if (job === "writer") serveWriter(parentPort, createProcedures(), nativeBinding);
  else serveCheckpoints(parentPort, nativeBinding);
}
