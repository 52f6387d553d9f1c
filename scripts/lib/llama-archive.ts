import { createHash } from "node:crypto";
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { constants, zstdCompressSync } from "node:zlib";
import { build, type Metafile } from "esbuild";
import { llamaBundle } from "../../esbuild.config.ts";
import { type AssetManifest, LLAMA_LOADER } from "../../src/app/assets/manifest.ts";

/**
 * Measured on the 30 MB of the x64 runtime: level 9 6.1 MB in 0.3 s, 15 5.3 MB in 2.4 s, 19 4.7 MB in 8.4 s;
 * each unpacks in 40 ms (Brotli 9: 5.0 MB in 4.7 s, 60 ms).
 */
const LEVEL = 15;
/** Window of 32 MB: the variants for different processors are alike, and lie megabytes apart. */
const WINDOW_LOG = 25;

/** A CommonJS file on disk, through which the single file reaches `import()`. */
const LOADER = 'module.exports = () => import("./dist/index.mjs");\n';

interface Entry {
  readonly path: string;
  readonly bytes: Uint8Array;
}

export interface LlamaRuntime {
  readonly archive: Uint8Array;
  readonly manifest: AssetManifest["llama"];
  /** What its program is made of. */
  readonly metafile: Metafile;
}

/** The llama runtime for this platform, packed, and its part of the manifest. */
export async function packLlamaRuntime(root: string): Promise<LlamaRuntime> {
  const { entries: unsorted, metafile } = await collectEntries(root);
  const entries = unsorted.sort((a, b) => (a.path < b.path ? -1 : 1));
  const files = entries.map(({ path, bytes }) => ({ path, size: bytes.length, sha256: sha256(bytes) }));
  const { version } = readJson(join(root, "node_modules/node-llama-cpp/package.json"));
  return {
    metafile,
    archive: zstdCompressSync(Buffer.concat(entries.map(({ bytes }) => bytes)), {
      params: {
        [constants.ZSTD_c_compressionLevel]: LEVEL,
        [constants.ZSTD_c_windowLog]: WINDOW_LOG,
        [constants.ZSTD_c_enableLongDistanceMatching]: 1,
      },
    }),
    manifest: { version, sha256: sha256(Buffer.from(JSON.stringify(files))), files },
  };
}

/** The library looks for its own files relative to `dist`, and for native code in `bins` before anywhere else. */
async function collectEntries(root: string): Promise<{ entries: Entry[]; metafile: Metafile }> {
  const library = join(root, "node_modules/node-llama-cpp");
  const native = join(root, "node_modules/@node-llama-cpp", `linux-${process.arch}`);
  const { outputFiles, metafile } = await build({ ...llamaBundle(), metafile: true });
  const [bundle] = outputFiles;
  if (bundle === undefined) throw new Error("esbuild made no bundle of node-llama-cpp");
  const read = (directory: string, path: string, target = path): Entry => ({
    path: target,
    bytes: readFileSync(join(directory, path)),
  });
  const entries = [
    { path: "dist/index.mjs", bytes: bundle.contents },
    { path: LLAMA_LOADER, bytes: Buffer.from(LOADER) },
    read(library, "package.json"),
    read(library, "LICENSE"),
    read(library, "llama/binariesGithubRelease.json"),
    read(library, "llama/llama.cpp.info.json"),
    ...globSync("bins/*/*", { cwd: native }).map((path) => read(native, path)),
  ];
  return { entries, metafile };
}

function readJson(path: string): { version: string } {
  return JSON.parse(readFileSync(path, "utf8"));
}

export function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}
