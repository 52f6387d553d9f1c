import { Worker } from "node:worker_threads";
import type { StoreThread } from "../kernel/db/database.ts";
import { SQLITE_ASSET, STORE_THREAD_ASSET } from "./assets/manifest.ts";
import { getAsset, materialize, SINGLE_FILE } from "./assets.ts";
import type { StoreThreadData } from "./store-thread.ts";

/** Starts a thread of the store. @throws AppError CACHE_UNUSABLE */
export function startStoreThread(cacheDir: string, job: StoreThread): Worker {
  const workerData: StoreThreadData = {
    job,
    sqliteAddon: SINGLE_FILE ? materialize(SQLITE_ASSET, cacheDir) : null,
  };
  const options = { workerData, name: `aitbc-${job}` };
  if (!SINGLE_FILE) return new Worker(new URL("./store-thread.ts", import.meta.url), options);
  return new Worker(Buffer.from(getAsset(STORE_THREAD_ASSET)).toString("utf8"), { ...options, eval: true });
}
