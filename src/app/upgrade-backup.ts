import { mkdirSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { databaseFile } from "../config/data-paths.ts";
import type { Config } from "../config/schema.ts";
import { describeFileError } from "../kernel/data-dir.ts";
import { backupDatabase } from "../kernel/db/backup.ts";
import { AppError, toAppError } from "../kernel/errors.ts";
import { loadSqliteBinding } from "./native.ts";

/** Copies that are kept: enough to go back over some upgrades, and a bound for the disk. */
const KEPT_UPGRADE_BACKUPS = 3;
const PRIVATE_MODE = 0o700;
/** Only names that this file gives: other backups in the folder are never deleted. The time sorts as text. */
export const UPGRADE_BACKUP_NAME = /^before-[a-z0-9-]+-(\d{8}T\d{6}Z)\.db$/;

/**
 * Copies the database to `<data_dir>/backups/before-<migration>-<time>.db`, checks the copy, deletes the oldest
 * such copies, and returns the file. Errors: those of a backup, saying that the upgrade did not happen.
 */
export async function backUpBeforeUpgrade(options: {
  config: Pick<Config, "data_dir" | "database" | "cache_dir">;
  /** The first migration that is to run. */
  next: string;
  /** Unix ms. */
  now: number;
}): Promise<string> {
  const { config, next } = options;
  const folder = join(config.data_dir, "backups");
  const time = new Date(options.now).toISOString().replace(/\.\d+/, "").replaceAll(/[-:]/g, "");
  const target = join(folder, `before-${next}-${time}.db`);
  try {
    makeFolder(folder);
    await backupDatabase({
      path: databaseFile(config),
      target,
      // A start that failed within the same second left a copy of the same schema.
      overwrite: true,
      // The checks of the roles know the new schema only; integrity and references are always checked.
      checks: [],
      nativeBinding: loadSqliteBinding(config.cache_dir),
    });
  } catch (thrown) {
    const cause = toAppError(thrown);
    const detail = `the database is left at its old schema, because the backup before the upgrade failed: ${cause.message}`;
    throw new AppError(cause.code, detail, {
      meta: { hint: `make room in ${folder} and let it be written; then start again` },
      cause,
    });
  }
  removeOldest(folder);
  return target;
}

function makeFolder(folder: string): void {
  try {
    mkdirSync(folder, { recursive: true, mode: PRIVATE_MODE });
  } catch (cause) {
    throw new AppError("DATA_UNWRITABLE", `${folder} ${describeFileError(cause)}`, { cause });
  }
}

function removeOldest(folder: string): void {
  const timeOf = (name: string): string => UPGRADE_BACKUP_NAME.exec(name)?.[1] ?? "";
  const own = readdirSync(folder).filter((name) => UPGRADE_BACKUP_NAME.test(name));
  const newestFirst = own.sort((a, b) => timeOf(b).localeCompare(timeOf(a)));
  for (const name of newestFirst.slice(KEPT_UPGRADE_BACKUPS)) rmSync(join(folder, name), { force: true });
}
