/** The writer's thread: what `startWriterThread` starts. */
import { parentPort, workerData } from "node:worker_threads";
import { serveWriter } from "../kernel/db/serve-writer.ts";
import { loadAddonFile } from "./load-addon.ts";
import { createProcedures } from "./procedures.ts";

/** What the thread is started with. */
export interface WriterThreadData {
  /** The file of SQLite's add-on; null: the package's own. */
  readonly sqliteAddon: string | null;
}

if (parentPort) {
  // `startWriterThread` has written it.
  const { sqliteAddon } = workerData as WriterThreadData;
  serveWriter(parentPort, createProcedures(), sqliteAddon === null ? undefined : loadAddonFile(sqliteAddon));
}
