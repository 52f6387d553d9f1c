import { execFile } from "node:child_process";
import { globSync, statSync } from "node:fs";
import { join, resolve } from "node:path";
import { promisify } from "node:util";

const root = resolve(import.meta.dirname, "../..");
/** The executable that the build makes. */
export const BINARY = join(root, "dist/aitbc");

/** What the executable is made of. */
const SOURCES = [
  "src/**",
  "scripts/build.ts",
  "scripts/lib/{compact,licenses,llama-archive,mit-license}.ts",
  "esbuild.config.ts",
  "package-lock.json",
];

let built: Promise<string> | undefined;

/** Path of `dist/aitbc`, built first when it is missing or older than its sources. */
export function binaryPath(): Promise<string> {
  built ??= buildIfOld();
  return built;
}

async function buildIfOld(): Promise<string> {
  if (!isFresh()) {
    await promisify(execFile)(process.execPath, ["scripts/build.ts"], { cwd: root });
  }
  return BINARY;
}

/** Whether `dist/aitbc` exists and is of the sources as they are. */
export function isFresh(): boolean {
  const builtAt = statSync(BINARY, { throwIfNoEntry: false })?.mtimeMs;
  if (builtAt === undefined) return false;
  const changed = globSync(SOURCES, { cwd: root }).filter((path) => !path.endsWith(".test.ts"));
  return changed.every((path) => {
    const status = statSync(join(root, path));
    return status.isDirectory() || status.mtimeMs <= builtAt;
  });
}
