import { existsSync, renameSync, statSync } from "node:fs";
import { describeFileError } from "../data-dir.ts";
import { AppError } from "../errors.ts";
import { createPrivateFile, flushFile, flushFolderOf, removeDatabase } from "./files.ts";
import { openReader } from "./pragmas.ts";
import { type CopyCheck, verifyCopy } from "./verify.ts";

/** Pages (of 4 KiB) copied between two turns of the event loop: some milliseconds of work. */
const PAGES_PER_STEP = 1_000;

export interface BackupOptions {
  /** The database file. It may be in use, by this process or another. */
  readonly path: string;
  /** The file to write, 0600. It appears whole or not at all. */
  readonly target: string;
  readonly overwrite: boolean;
  /** What the copy must satisfy before it counts as a backup. */
  readonly checks: readonly CopyCheck[];
  readonly nativeBinding?: object | undefined;
}

export interface BackupReport {
  readonly sizeBytes: number;
}

/**
 * Copies a database as it is at one moment while others write it, and checks the copy before it says done.
 * Errors: INVALID_ARGUMENT (the target exists), DATA_UNWRITABLE (the target), STORAGE_UNAVAILABLE (the
 * source), BACKUP_INVALID (the copy failed its checks; nothing is left at the target).
 */
export async function backupDatabase(options: BackupOptions): Promise<BackupReport> {
  const { path, target, overwrite, checks, nativeBinding } = options;
  assertFree(target, overwrite);
  const partial = `${target}.partial-${process.pid}`;
  try {
    createPrivateFile(partial);
  } catch (cause) {
    throw new AppError("DATA_UNWRITABLE", `the backup ${target} ${describeFileError(cause)}`, { cause });
  }
  try {
    await copySnapshot(path, partial, nativeBinding);
    await verifyCopy(partial, checks, nativeBinding);
    flushFile(partial);
    assertFree(target, overwrite);
    renameSync(partial, target);
    flushFolderOf(target);
    return { sizeBytes: statSync(target).size };
  } catch (error) {
    removeDatabase(partial);
    throw error;
  }
}

function assertFree(target: string, overwrite: boolean): void {
  if (overwrite || !existsSync(target)) return;
  throw new AppError("INVALID_ARGUMENT", `${target} exists; it is overwritten only when told so`, {
    meta: { target },
  });
}

/** Holds one read transaction throughout: without it each commit of the writer starts the copy anew. */
async function copySnapshot(path: string, partial: string, nativeBinding?: object): Promise<void> {
  const source = openReader(path, nativeBinding);
  try {
    source.exec("begin");
    source.prepare("select count(*) from sqlite_schema").get();
    await source.backup(partial, { progress: () => PAGES_PER_STEP });
  } catch (cause) {
    // Full disk at the target and damage at the source look alike to SQLite's copy.
    throw new AppError("STORAGE_UNAVAILABLE", `cannot copy the database ${path}`, { cause });
  } finally {
    source.close();
  }
}
