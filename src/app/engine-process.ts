import { AppError } from "../kernel/errors.ts";
import { runEngineChild } from "../roles/miner/index.ts";
import { loadLlama } from "./native.ts";

/**
 * Runs this process as the child of a llama engine (`aitbc __engine CACHE_DIR [RUNTIME_ENTRY]`). Ends with its
 * parent.
 */
export function runEngineProcess([cacheDir, runtimeEntry]: readonly string[]): void {
  if (cacheDir === undefined) throw new AppError("INVALID_ARGUMENT", "__engine needs a cache directory");
  runEngineChild(() => loadLlama(cacheDir, runtimeEntry));
}
