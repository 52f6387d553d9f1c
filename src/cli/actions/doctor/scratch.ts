import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";

const PREFIX = ".aitbc-doctor-";

/** Temporary folders of the checks, only for this user, removed when disposed. */
export class Scratch implements Disposable {
  readonly #folders: string[] = [];

  /** Makes a folder inside `parent`, on its file system. */
  inside(parent: string): string {
    const folder = mkdtempSync(join(parent, PREFIX));
    this.#folders.push(folder);
    return folder;
  }

  [Symbol.dispose](): void {
    for (const folder of this.#folders) rmSync(folder, { recursive: true, force: true });
  }
}

/** A path, or the nearest folder above it that exists: where it would be made. */
export function nearestExisting(path: string): string {
  let at = path;
  while (!existsSync(at) && dirname(at) !== at) at = dirname(at);
  return at;
}
