/**
 * Makes `dist/aitbc`: one executable with Node, the program, its native add-ons, the built-in model and the llama
 * runtime inside. `--verify` builds twice and fails unless both results have the same bytes.
 */
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { build, type Metafile, type OutputFile } from "esbuild";
import { mainBundle, storeThreadBundle } from "../esbuild.config.ts";
import {
  ARGON2_ASSET,
  type AssetManifest,
  LICENSES_ASSET,
  LLAMA_ASSET,
  MANIFEST_ASSET,
  MODEL_ASSET,
  SQLITE_ASSET,
  STORE_THREAD_ASSET,
} from "../src/app/assets/manifest.ts";
import { TOKENIZERS } from "../src/app/assets/tokenizers.ts";
import type { BuildInfo } from "../src/app/build-info.ts";
import { compactProgram } from "./lib/compact.ts";
import { collectLicenses } from "./lib/licenses.ts";
import { packLlamaRuntime, sha256 } from "./lib/llama-archive.ts";
import { readPackageVersion } from "./lib/package.ts";

const root = resolve(import.meta.dirname, "..");
const dist = join(root, "dist");
const target = join(dist, "aitbc");

const { values } = parseArgs({ options: { verify: { type: "boolean", default: false } } });

/** Settings of the single file: docs of Node, "Single executable applications". */
const SEA_SETTINGS = {
  mainFormat: "module",
  disableExperimentalSEAWarning: true,
  useSnapshot: false,
  // Code caches differ from build to build.
  useCodeCache: false,
  // A signal from a stranger's process must not open the inspector, and neither may the environment.
  execArgv: ["--disable-sigusr1"],
  execArgvExtension: "none",
};

/** Names within the build's directory: the path of the main module becomes a part of the executable. */
const MAIN = "main.mjs";
const OUTPUT = "aitbc";
const SETTINGS = "sea.json";

function git(...args: readonly string[]): string {
  return execFileSync("git", args, {
    cwd: root,
    encoding: "utf8",
    stdio: ["ignore", "pipe", "ignore"],
  }).trim();
}

/** Version and commit; without git (a source archive) the version alone. */
function readBuildInfo(): BuildInfo {
  const version = readPackageVersion();
  try {
    const dirty = git("status", "--porcelain", "--untracked-files=no") === "" ? "" : "-dirty";
    return { version, commit: git("rev-parse", "HEAD") + dirty };
  } catch {
    return { version, commit: null };
  }
}

/** How argon2 names its native part for an architecture. */
const argon2File = (arch: string): string =>
  arch === "arm64" ? "argon2.armv8.glibc.node" : "argon2.glibc.node";

/** Writes the assets of the single file into `directory`, each under its name. `program` is what main is made of. */
async function writeAssets(directory: string, program: Metafile): Promise<Record<string, string>> {
  const { archive, manifest: llama, metafile } = await packLlamaRuntime(root);
  const writer = await build({ ...storeThreadBundle(), metafile: true });
  const programs = [program, writer.metafile, metafile];
  const plain = {
    [LICENSES_ASSET]: Buffer.from(JSON.stringify(collectLicenses(root, programs))),
    [STORE_THREAD_ASSET]: Buffer.from(await programText(writer.outputFiles)),
    ...Object.fromEntries(
      [MODEL_ASSET, ...TOKENIZERS.map(({ asset }) => asset)].map((name) => [
        name,
        readFileSync(join(root, "src/app/assets", name)),
      ]),
    ),
    [SQLITE_ASSET]: readFileSync(
      join(root, "node_modules/better-sqlite3/prebuilds", `linux-${process.arch}.node`),
    ),
    [ARGON2_ASSET]: readFileSync(
      join(root, "node_modules/argon2/prebuilds", `linux-${process.arch}`, argon2File(process.arch)),
    ),
  };
  const manifest: AssetManifest = {
    files: Object.fromEntries(Object.entries(plain).map(([name, bytes]) => [name, sha256(bytes)])),
    llama,
  };
  const all = { ...plain, [LLAMA_ASSET]: archive, [MANIFEST_ASSET]: Buffer.from(JSON.stringify(manifest)) };
  for (const [name, bytes] of Object.entries(all)) writeFileSync(join(directory, name), bytes);
  return Object.fromEntries(Object.keys(all).map((name) => [name, name]));
}

async function programText([bundle]: readonly OutputFile[]): Promise<string> {
  if (bundle === undefined) throw new Error("esbuild made no bundle");
  return compactProgram(bundle.text);
}

/** Builds in a fresh directory and returns the path of the executable in it. */
async function buildInto(directory: string): Promise<string> {
  const { outputFiles, metafile } = await build({ ...mainBundle(readBuildInfo()), metafile: true });
  writeFileSync(join(directory, MAIN), await programText(outputFiles));
  const assets = await writeAssets(directory, metafile);
  const settings = { main: MAIN, output: OUTPUT, assets, ...SEA_SETTINGS };
  writeFileSync(join(directory, SETTINGS), JSON.stringify(settings));
  execFileSync(process.execPath, ["--build-sea", SETTINGS], {
    cwd: directory,
    stdio: ["ignore", "ignore", "inherit"],
  });
  return join(directory, OUTPUT);
}

async function main(): Promise<number> {
  if (process.platform !== "linux") {
    console.error("build: the single file is made on Linux; elsewhere run the program from its source");
    return 1;
  }
  const startedAt = performance.now();
  mkdirSync(dist, { recursive: true });
  const directories: string[] = [];
  const temporary = (): string => {
    const directory = mkdtempSync(join(dist, ".build-"));
    directories.push(directory);
    return directory;
  };
  try {
    const first = await buildInto(temporary());
    const hash = sha256(readFileSync(first));
    if (values.verify) {
      const second = sha256(readFileSync(await buildInto(temporary())));
      if (second !== hash) {
        console.error(`build: two builds differ: ${hash} and ${second}`);
        return 1;
      }
      console.log(`two builds are identical: ${hash}`);
    }
    renameSync(first, target);
  } finally {
    for (const directory of directories) rmSync(directory, { recursive: true, force: true });
  }
  const megabytes = (statSync(target).size / 1e6).toFixed(1);
  console.log(`dist/aitbc: ${megabytes} MB in ${((performance.now() - startedAt) / 1000).toFixed(1)} s`);
  return 0;
}

process.exitCode = await main();
