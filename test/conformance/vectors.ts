import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe } from "vitest";

const ROOT = process.env["AITBC_VECTORS"] ?? join(import.meta.dirname, "../../../shared/vectors");

/** Reads a published test vector as text. */
export function readVector(...path: readonly string[]): string {
  return readFileSync(join(ROOT, ...path), "utf8");
}

/** A suite over a folder of published vectors; where the folder is absent it is skipped, by name. */
export function describeVectors(folder: string, title: string, suite: () => void): void {
  const present = existsSync(join(ROOT, folder));
  describe.skipIf(!present)(present ? title : `${title} (no vectors in ${folder}; set AITBC_VECTORS)`, suite);
}
