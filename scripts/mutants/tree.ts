import { cpSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import type { Edit } from "./mutant.ts";

const ROOT = resolve(import.meta.dirname, "../..");

/** What the checks read. Packages are linked, never copied. */
const COPIED = ["src", "test", "scripts", "protocols", "package.json", "tsconfig.json", "vitest.config.ts"];

/** A copy of the source tree, in which faults are put: the tree itself is never touched. */
export class TreeCopy {
  readonly path: string;

  constructor(path: string) {
    this.path = path;
    mkdirSync(path, { recursive: true });
    for (const name of COPIED) cpSync(join(ROOT, name), join(path, name), { recursive: true });
    symlinkSync(join(ROOT, "node_modules"), join(path, "node_modules"));
  }

  /**
   * Runs `work` with the edits in place, and puts the files back afterwards.
   * @throws Error when a text to replace does not stand in its file exactly once
   */
  async withEdits<T>(edits: readonly Edit[], work: () => Promise<T>): Promise<T> {
    const originals = new Map<string, string>();
    try {
      for (const edit of edits) {
        const file = join(this.path, edit.file);
        const text = readFileSync(file, "utf8");
        const edited = applyEdit(text, edit);
        if (!originals.has(file)) originals.set(file, text);
        writeFileSync(file, edited);
      }
      return await work();
    } finally {
      for (const [file, text] of originals) writeFileSync(file, text);
    }
  }

  remove(): void {
    rmSync(this.path, { recursive: true, force: true });
  }
}

/** Replaces the one occurrence of a text. @throws Error when it is not there, or more than once */
export function applyEdit(text: string, { file, find, replace }: Edit): string {
  const count = text.split(find).length - 1;
  if (count !== 1) throw new Error(`stale: the text to replace stands ${count} times in ${file}`);
  return text.replace(find, () => replace);
}
