import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { constants } from "node:os";
import { join } from "node:path";
import type { LlamaLibrary } from "../roles/miner/index.ts";
import { LLAMA_LOADER, SQLITE_ASSET } from "./assets/manifest.ts";
import { cacheError, ensureLoadable } from "./assets/private-cache.ts";
import { bundledLlamaVersion, materialize, materializeLlamaRuntime, SINGLE_FILE } from "./assets.ts";

/**
 * better-sqlite3's native part, for its option `nativeBinding`. undefined while developing: there it finds its own.
 * @throws AppError CACHE_UNUSABLE
 */
export function loadSqliteBinding(cacheDir: string): object | undefined {
  if (!SINGLE_FILE) return undefined;
  const path = materialize(SQLITE_ASSET, cacheDir);
  ensureLoadable(cacheDir, path);
  const addon: { exports: object } = { exports: {} };
  try {
    process.dlopen(addon, path, constants.dlopen.RTLD_NOW);
  } catch (error) {
    throw cacheError(cacheDir, error);
  }
  return addon.exports;
}

/**
 * Loads node-llama-cpp: from node_modules while developing, else from its copy in the cache. A single file
 * cannot `import()` a file from disk itself, while a file that it requires can (hence the loader).
 * @throws AppError CACHE_UNUSABLE
 */
export async function loadLlama(cacheDir: string): Promise<LlamaLibrary> {
  if (!SINGLE_FILE) return import("node-llama-cpp");
  const directory = materializeLlamaRuntime(cacheDir);
  ensureLoadable(cacheDir, join(directory, LLAMA_LOADER));
  const load: () => Promise<LlamaLibrary> = createRequire(join(directory, "x.cjs"))(`./${LLAMA_LOADER}`);
  return load();
}

/** Version of node-llama-cpp; null where it is not installed (it is optional while developing). */
export function llamaRuntimeVersion(): string | null {
  if (SINGLE_FILE) return bundledLlamaVersion();
  try {
    const entry = createRequire(import.meta.url).resolve("node-llama-cpp");
    const text = readFileSync(join(entry, "../../package.json"), "utf8");
    return (JSON.parse(text) as { version: string }).version;
  } catch {
    return null;
  }
}

/** First argument that makes the program an engine's child process (src/main.ts). */
const ENGINE_ARGUMENT = "__engine";

/** Program and arguments of a child process for the llama engine: this program itself, in its other role. */
export function engineCommand(cacheDir: string): readonly string[] {
  const program = SINGLE_FILE ? [] : [join(import.meta.dirname, "../main.ts")];
  return [process.execPath, ...program, ENGINE_ARGUMENT, cacheDir];
}
