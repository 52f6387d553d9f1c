import { createHash } from "node:crypto";
import { createRequire, registerHooks } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import {
  type EngineInputs,
  findLlamaRuntime,
  type LlamaLibrary,
  type LlamaRuntime,
} from "../roles/miner/index.ts";
import { loadAddon } from "./addon.ts";
import { LLAMA_LOADER, MODEL_ASSET, SQLITE_ASSET } from "./assets/manifest.ts";
import { ensureLoadable, materializeEntry } from "./assets/private-cache.ts";
import { bundledLlamaVersion, materialize, materializeLlamaRuntime, SINGLE_FILE } from "./assets.ts";

/**
 * better-sqlite3's native part, for its option `nativeBinding`. undefined while developing: there it finds its own.
 * @throws AppError CACHE_UNUSABLE
 */
export function loadSqliteBinding(cacheDir: string): object | undefined {
  return SINGLE_FILE ? loadAddon(SQLITE_ASSET, cacheDir) : undefined;
}

/**
 * Loads node-llama-cpp: from the entry module that is named; else from node_modules while developing, or from its
 * copy in the cache. A single file cannot `import()` a file from disk itself, while a file that it requires can
 * (hence the loaders).
 * @throws AppError CACHE_UNUSABLE
 */
export async function loadLlama(cacheDir: string, runtimeEntry?: string): Promise<LlamaLibrary> {
  if (runtimeEntry !== undefined) return importFromDisk(cacheDir, runtimeEntry);
  if (!SINGLE_FILE) return import("node-llama-cpp");
  const directory = materializeLlamaRuntime(cacheDir);
  ensureLoadable(cacheDir, join(directory, LLAMA_LOADER));
  const load: () => Promise<LlamaLibrary> = createRequire(join(directory, "x.cjs"))(`./${LLAMA_LOADER}`);
  return load();
}

/** Text of a file that imports the module whose URL it is given. */
const IMPORTER = "module.exports = (url) => import(url);\n";
const IMPORTER_NAME = "import.cjs";

/**
 * node-llama-cpp first loads its native part in a process of its own, by forking `process.execPath`: in the single
 * file that is the whole program. The engine already is a process that may crash, so the test is left out.
 */
function withoutBindingTest(): void {
  registerHooks({
    load: (url, context, next) =>
      url.endsWith("/testBindingBinary.js")
        ? {
            format: "module",
            source: "export async function testBindingBinary() { return true; }",
            shortCircuit: true,
          }
        : next(url, context),
  });
}

async function importFromDisk(cacheDir: string, entry: string): Promise<LlamaLibrary> {
  withoutBindingTest();
  const url = pathToFileURL(entry).href;
  if (!SINGLE_FILE) return import(url);
  const bytes = Buffer.from(IMPORTER);
  const sha256 = createHash("sha256").update(bytes).digest("hex");
  const directory = materializeEntry(cacheDir, sha256, [{ path: IMPORTER_NAME, sha256 }], () => [bytes]);
  const importer: (url: string) => Promise<LlamaLibrary> = createRequire(join(directory, "x.cjs"))(
    `./${IMPORTER_NAME}`,
  );
  return importer(url);
}

/** The program's own llama runtime; null where it has none (it is optional while developing). */
function ownLlamaRuntime(): Omit<LlamaRuntime, "entry"> | null {
  // The single file carries the processor's binary alone: those for GPUs are larger than all else together.
  if (SINGLE_FILE) return { version: bundledLlamaVersion(), backends: [] };
  try {
    return findLlamaRuntime(join(createRequire(import.meta.url).resolve("node-llama-cpp"), "../.."));
  } catch {
    return null;
  }
}

/** Program and first arguments of a child process that is this program itself. */
export function programCommand(): readonly string[] {
  return [process.execPath, ...(SINGLE_FILE ? [] : [join(import.meta.dirname, "../main.ts")])];
}

/** First argument that makes the program an engine's child process (src/main.ts). */
const ENGINE_ARGUMENT = "__engine";

/**
 * Program and arguments of a child process for the llama engine: this program itself, in its other role, with the
 * llama runtime whose entry module is named, or its own.
 */
function engineCommand(cacheDir: string, runtimeEntry?: string): readonly string[] {
  const runtime = runtimeEntry === undefined ? [] : [runtimeEntry];
  return [...programCommand(), ENGINE_ARGUMENT, cacheDir, ...runtime];
}

/** First argument that makes the program the process that holds a wallet's keys (src/main.ts). */
const SIGNER_ARGUMENT = "__signer";

/** Program and arguments of the process that holds keys of the keystore files in a directory. */
export function signerCommand(cacheDir: string, directory: string): readonly string[] {
  return [...programCommand(), SIGNER_ARGUMENT, cacheDir, directory];
}

/** What engines are made from in this program. */
export function engineInputs(cacheDir: string): EngineInputs {
  return {
    command: (runtimeEntry) => engineCommand(cacheDir, runtimeEntry),
    llamaRuntime: ownLlamaRuntime(),
    builtinModelPath: async () => materialize(MODEL_ASSET, cacheDir),
  };
}
