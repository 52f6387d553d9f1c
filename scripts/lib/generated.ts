import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, resolve } from "node:path";

const ROOT = resolve(import.meta.dirname, "../..");

/** Writes a generated file of the repository; with `--check` on the command line it only compares, and exits 1 when stale. */
export function writeOrCheck(path: string, text: string): void {
  const file = resolve(ROOT, path);
  const current = existsSync(file) ? readFileSync(file, "utf8") : undefined;
  if (current === text) return;
  if (process.argv.includes("--check")) {
    const script = process.argv[1]?.slice(ROOT.length + 1);
    console.error(`${path} is stale: run node ${script}`);
    process.exitCode = 1;
    return;
  }
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
  console.log(`wrote ${path}`);
}
