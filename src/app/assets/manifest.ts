import type { CacheFile } from "./private-cache.ts";

/** Names of what `scripts/build.ts` puts into the single file. */
export const MANIFEST_ASSET = "manifest.json";
export const SQLITE_ASSET = "better-sqlite3.node";
export const ARGON2_ASSET = "argon2.node";
export const MODEL_ASSET = "aitbc-tiny.gguf";
/** The code of the store's threads. */
export const STORE_THREAD_ASSET = "store-thread.cjs";
export const LLAMA_ASSET = "llama-runtime.zst";
/** Names and licences of everything by others in the single file. */
export const LICENSES_ASSET = "licenses.json";
/** The file of the llama runtime that gives a function that loads it. */
export const LLAMA_LOADER = "loader.cjs";

/** A file within an archive: archives are the files' bytes one after the other, compressed with Zstandard. */
export interface ArchivedFile extends CacheFile {
  readonly size: number;
}

/** What is in the single file. Written by the build, so it is not checked again. */
export interface AssetManifest {
  /** SHA-256 of each plain asset, hex. */
  readonly files: Readonly<Record<string, string>>;
  readonly llama: {
    /** Version of node-llama-cpp. */
    readonly version: string;
    /** SHA-256 over the list of files, hex: names the archive's directory in the cache. */
    readonly sha256: string;
    readonly files: readonly ArchivedFile[];
  };
}
