import { closeSync, existsSync, fsyncSync, openSync, rmSync } from "node:fs";
import { dirname } from "node:path";

/** What SQLite keeps beside a database while it is open, or after a crash. */
export const COMPANIONS = ["-wal", "-shm", "-journal"] as const;

/** Flushes a file's content to the disk. */
export function flushFile(path: string): void {
  const file = openSync(path, "r");
  try {
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}

/** Flushes a folder's names to the disk, so that a rename in it survives a power cut. */
export function flushFolderOf(path: string): void {
  flushFile(dirname(path));
}

/** Makes an empty file that only its owner can read. Fails if it exists. */
export function createPrivateFile(path: string): void {
  closeSync(openSync(path, "wx", 0o600));
}

/** Removes a database that nobody has open, with everything beside it. */
export function removeDatabase(path: string): void {
  for (const suffix of ["", ...COMPANIONS]) rmSync(path + suffix, { force: true });
}

/** The first of `<path><infix>1`, `<path><infix>2`, … that does not exist. */
export function freeName(path: string, infix: string): string {
  let number = 1;
  while (existsSync(`${path}${infix}${number}`)) number++;
  return `${path}${infix}${number}`;
}
