import { Worker } from "node:worker_threads";
import { SQLITE_ASSET, WRITER_ASSET } from "./assets/manifest.ts";
import { getAsset, materialize, SINGLE_FILE } from "./assets.ts";
import type { WriterThreadData } from "./writer-thread.ts";

/** Starts the thread that runs the daemon's writes. @throws AppError CACHE_UNUSABLE */
export function startWriterThread(cacheDir: string): Worker {
  const workerData: WriterThreadData = {
    sqliteAddon: SINGLE_FILE ? materialize(SQLITE_ASSET, cacheDir) : null,
  };
  const options = { workerData, name: "aitbc-writer" };
  if (!SINGLE_FILE) return new Worker(new URL("./writer-thread.ts", import.meta.url), options);
  return new Worker(Buffer.from(getAsset(WRITER_ASSET)).toString("utf8"), { ...options, eval: true });
}
