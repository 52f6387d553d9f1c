import { readFileSync } from "node:fs";
import { join } from "node:path";
import { getRawAsset, isSea } from "node:sea";
import { zstdDecompressSync } from "node:zlib";
import { AppError } from "../kernel/errors.ts";
import { type ArchivedFile, type AssetManifest, LLAMA_ASSET, MANIFEST_ASSET } from "./assets/manifest.ts";
import { materializeEntry } from "./assets/private-cache.ts";

/** Where assets lie while the program runs from its source. */
const SOURCE_DIRECTORY = join(import.meta.dirname, "assets");

/** Whether this is the single file, with its assets inside. */
export const SINGLE_FILE: boolean = isSea();

let manifest: AssetManifest | undefined;

/**
 * An asset's bytes, not to be changed: from the single file, or from `src/app/assets`.
 * @throws AppError INTERNAL when there is no such asset.
 */
export function getAsset(name: string): Uint8Array {
  try {
    return SINGLE_FILE ? new Uint8Array(getRawAsset(name)) : readFileSync(join(SOURCE_DIRECTORY, name));
  } catch (error) {
    throw new AppError("INTERNAL", `there is no asset ${name}`, { cause: error });
  }
}

/**
 * The path of an asset as a file: its source while developing, else a checked copy in the cache.
 * @throws AppError CACHE_UNUSABLE
 */
export function materialize(name: string, cacheDir: string): string {
  if (!SINGLE_FILE) return join(SOURCE_DIRECTORY, name);
  const sha256 = readManifest().files[name];
  if (sha256 === undefined) throw new AppError("INTERNAL", `there is no asset ${name}`);
  const directory = materializeEntry(cacheDir, sha256, [{ path: name, sha256 }], () => [getAsset(name)]);
  return join(directory, name);
}

/** Version of the llama runtime in the single file. */
export function bundledLlamaVersion(): string {
  return readManifest().llama.version;
}

/**
 * Unpacks the llama runtime of the single file into the cache, once, and returns its directory.
 * @throws AppError CACHE_UNUSABLE
 */
export function materializeLlamaRuntime(cacheDir: string): string {
  const { sha256, files } = readManifest().llama;
  return materializeEntry(cacheDir, sha256, files, () => unpack(getAsset(LLAMA_ASSET), files));
}

function* unpack(archive: Uint8Array, files: readonly ArchivedFile[]): Generator<Uint8Array> {
  const bytes = zstdDecompressSync(archive);
  let at = 0;
  for (const { size } of files) {
    yield bytes.subarray(at, at + size);
    at += size;
  }
}

function readManifest(): AssetManifest {
  // Our own build wrote it into this very file.
  manifest ??= JSON.parse(Buffer.from(getAsset(MANIFEST_ASSET)).toString()) as AssetManifest;
  return manifest;
}
