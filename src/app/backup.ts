import { existsSync } from "node:fs";
import { dirname } from "node:path";
import { databaseFile } from "../config/data-paths.ts";
import type { Config } from "../config/schema.ts";
import { openDataDirectory } from "../kernel/data-dir.ts";
import { backupDatabase } from "../kernel/db/backup.ts";
import { lockDataDirectory } from "../kernel/db/lock.ts";
import { restoreDatabase } from "../kernel/db/restore.ts";
import { AppError } from "../kernel/errors.ts";
import { coordinator } from "../roles/coordinator/index.ts";
import { MIGRATIONS } from "./migrations.ts";
import { loadSqliteBinding } from "./native.ts";

/** What a backup holds, for people. */
export interface BackupReport {
  readonly size_bytes: number;
  /** What is not in it and must be kept apart. */
  readonly not_included: string;
}

export interface RestoreReport {
  /** Where the replaced database lies now; null if there was none. */
  readonly replaced: string | null;
}

const CHECKS = [coordinator.check];

/**
 * Copies the database while a daemon may use it, and checks the copy.
 * @throws AppError INVALID_ARGUMENT, DATA_UNWRITABLE, STORAGE_UNAVAILABLE, BACKUP_INVALID
 */
export async function backup(
  config: Config,
  target: string,
  options: { overwrite: boolean },
): Promise<BackupReport> {
  const path = databaseFile(config);
  if (!existsSync(path)) {
    throw new AppError(
      "INVALID_ARGUMENT",
      `there is no database at ${path}; name its directory with --data-dir`,
    );
  }
  const { sizeBytes } = await backupDatabase({
    path,
    target,
    overwrite: options.overwrite,
    checks: CHECKS,
    nativeBinding: loadSqliteBinding(config.cache_dir),
  });
  return {
    size_bytes: sizeBytes,
    not_included: `key files (*.key) and wallets in ${config.data_dir}: keep them apart`,
  };
}

/**
 * Puts a checked backup in the database's place. The daemon must be stopped.
 * @throws AppError DATA_IN_USE, BACKUP_INVALID, SCHEMA_NEWER, DATA_UNWRITABLE
 */
export async function restore(config: Config, source: string): Promise<RestoreReport> {
  const path = databaseFile(config);
  const nativeBinding = loadSqliteBinding(config.cache_dir);
  openDataDirectory(dirname(path));
  using lock = lockDataDirectory(dirname(path), { command: "aitbc restore", now: Date.now(), nativeBinding });
  const { replaced } = await restoreDatabase({
    backup: source,
    path,
    lock,
    knownMigrations: MIGRATIONS.map(({ name }) => name),
    checks: CHECKS,
    nativeBinding,
  });
  return { replaced: replaced ?? null };
}
