import { constants, copyFileSync, existsSync, linkSync, renameSync, rmSync, statSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { sql } from "kysely";
import { describeFileError } from "../data-dir.ts";
import { AppError } from "../errors.ts";
import {
  COMPANIONS,
  createPrivateFile,
  flushFile,
  flushFolderOf,
  freeName,
  removeDatabase,
} from "./files.ts";
import type { DataLock } from "./lock.ts";
import { assertNotNewer } from "./migrate.ts";
import { openRaw } from "./sqlite.ts";
import { type CopyCheck, verifyCopy } from "./verify.ts";

export interface RestoreOptions {
  /** A file that `backupDatabase` wrote. It is only read. */
  readonly backup: string;
  /** The database file to replace, in the directory that is locked. */
  readonly path: string;
  /** Proof that nothing uses the data directory. */
  readonly lock: DataLock;
  /** Names of all migrations this version knows. */
  readonly knownMigrations: readonly string[];
  readonly checks: readonly CopyCheck[];
  readonly nativeBinding?: object | undefined;
}

export interface RestoreReport {
  /** Where the replaced database lies; undefined if there was none. */
  readonly replaced: string | undefined;
}

/**
 * Puts a verified backup in the place of the database and keeps what was there as `<path>.before-restore-<n>`.
 * Until the last step the old database stays in place. Errors: BACKUP_INVALID, SCHEMA_NEWER, STORAGE_MISUSE
 * (the lock is another directory's), DATA_UNWRITABLE.
 */
export async function restoreDatabase(options: RestoreOptions): Promise<RestoreReport> {
  const { backup, path, lock, knownMigrations, checks, nativeBinding } = options;
  if (!lock.held || resolve(lock.directory) !== dirname(resolve(path))) {
    throw new AppError("STORAGE_MISUSE", `the lock of ${dirname(resolve(path))} is not held`);
  }
  assertComplete(backup);
  const incoming = `${path}.restore-${process.pid}`;
  try {
    copyPrivate(backup, incoming);
    await verifyCopy(incoming, [schemaCheck(knownMigrations), ...checks], nativeBinding);
    flushFile(incoming);
    const replaced = existsSync(path) ? keep(path, nativeBinding) : undefined;
    // A WAL left beside would be replayed into the file that takes the place of its own.
    for (const suffix of COMPANIONS) rmSync(path + suffix, { force: true });
    flushFolderOf(path);
    renameSync(incoming, path);
    flushFolderOf(path);
    return { replaced };
  } catch (error) {
    removeDatabase(incoming);
    throw error;
  }
}

function assertComplete(backup: string): void {
  if (!existsSync(backup)) throw new AppError("BACKUP_INVALID", `there is no file ${backup}`);
  const wal = `${backup}-wal`;
  if (existsSync(wal) && statSync(wal).size > 0) {
    throw new AppError(
      "BACKUP_INVALID",
      `${backup} is a database in use, not a backup: ${wal} lies beside it`,
    );
  }
}

function copyPrivate(from: string, to: string): void {
  try {
    removeDatabase(to);
    createPrivateFile(to);
    copyFileSync(from, to);
  } catch (cause) {
    throw new AppError("DATA_UNWRITABLE", `${to} ${describeFileError(cause)}`, { cause });
  }
}

function schemaCheck(known: readonly string[]): CopyCheck {
  return async (copy) => {
    const { rows } = await sql<{ name: string }>`
      select name from sqlite_schema where type = 'table' and name = 'kernel_migration'`.execute(copy);
    if (rows.length === 0) return ["it has no kernel_migration table, so it is no database of this program"];
    const executed = await copy.selectFrom("kernel_migration").select("name").orderBy("position").execute();
    assertNotNewer(
      known,
      executed.map((row) => String(row.name)),
    );
    return [];
  };
}

/** Gives the old database a second name. One that is too damaged to open keeps its WAL beside it. */
function keep(path: string, nativeBinding?: object): string {
  const name = freeName(path, ".before-restore-");
  // First of all: SQLite removes a WAL that it cannot read.
  if (existsSync(`${path}-wal`)) giveSecondName(`${path}-wal`, `${name}-wal`);
  if (foldWal(path, nativeBinding)) rmSync(`${name}-wal`, { force: true });
  giveSecondName(path, name);
  flushFolderOf(path);
  return name;
}

/**
 * Moves what the WAL holds into the database file, so that it is complete by itself. False when it is too
 * damaged for that: damage is a reason to restore, so it must not prevent it.
 */
function foldWal(path: string, nativeBinding?: object): boolean {
  try {
    const raw = openRaw(path, { readonly: false, nativeBinding });
    try {
      raw.pragma("synchronous = FULL");
      raw.pragma("journal_mode = DELETE");
      return true;
    } finally {
      raw.close();
    }
  } catch {
    return false;
  }
}

function giveSecondName(path: string, name: string): void {
  try {
    linkSync(path, name);
  } catch {
    // A file system without links.
    copyFileSync(path, name, constants.COPYFILE_EXCL);
    flushFile(name);
  }
}
