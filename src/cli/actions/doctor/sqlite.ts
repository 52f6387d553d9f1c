import { constants, copyFileSync, existsSync, statSync } from "node:fs";
import { statfs } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { findLockHolder } from "../../../kernel/db/lock.ts";
import { assertNotNewer } from "../../../kernel/db/migrate.ts";
import { openReader, openWriter } from "../../../kernel/db/pragmas.ts";
import { describe, isStorageFailure, pragma, type RawDatabase } from "../../../kernel/db/sqlite.ts";
import { type Check, type Finding, fail, info, ok, warn } from "./check.ts";
import { nearestExisting, type Scratch } from "./scratch.ts";
import { formatBytes } from "./units.ts";

/** Largest database that is looked through: SQLite reads about 500 MB/s, and nothing can interrupt it. */
const MAX_CHECKED_BYTES = 512 * 1024 * 1024;
/** Findings that are asked for: one is enough to know. */
const MAX_FINDINGS = 3;
const WAL = "-wal";

export type FindBinding = () => object | undefined;

/** Whether SQLite does what it is told: tried on a database of its own, beside the real one. */
export function checkSqlite(directory: string, scratch: Scratch, findBinding: FindBinding): Check {
  return {
    name: "sqlite",
    run() {
      const folder = scratch.inside(nearestExisting(directory));
      // Opening asserts the version, WAL, foreign keys, and synchronous = FULL after a first read.
      const raw = openWriter(join(folder, "probe.db"), findBinding());
      try {
        raw.exec("create table probe (n integer) strict; insert into probe values (1)");
        raw.prepare("select n from probe").get();
        const version = String(raw.prepare("select sqlite_version()").pluck().get());
        return ok(
          `version ${version}, journal ${String(pragma(raw, "journal_mode"))}, ` +
            `synchronous ${String(pragma(raw, "synchronous"))} after a read`,
        );
      } finally {
        raw.close();
      }
    },
  };
}

export interface DatabaseCheckOptions {
  readonly path: string;
  /** Names of all migrations that this version knows, in order. */
  readonly migrations: readonly string[];
  readonly scratch: Scratch;
  readonly findBinding: FindBinding;
}

/** Whether the database is sound and of a schema that this version knows. Reads it, or a copy while nobody uses it. */
export function checkDatabase(options: DatabaseCheckOptions): Check {
  const { path, findBinding } = options;
  return {
    name: "database",
    async run() {
      if (!existsSync(path)) return info(`${path} is not there yet; aitbc serve makes it`);
      const sizeBytes = statSync(path).size;
      const crashed = existsSync(path + WAL) && statSync(path + WAL).size > 0;
      const used = findLockHolder(dirname(path), findBinding()) !== undefined;
      if (!used && (sizeBytes > MAX_CHECKED_BYTES || !(await fits(path, sizeBytes)))) {
        return warn(
          `${path} (${formatBytes(sizeBytes)}) is too large to be copied and checked in passing`,
          "aitbc backup FILE checks the whole database in its copy",
        );
      }
      const finding = open(options, used, sizeBytes);
      if (finding.status !== "ok" || used || !crashed) return finding;
      return info(`${finding.found}; it was not closed in order, and the next start recovers it`);
    },
  };
}

/** Looks into the database in use, or into a copy. */
function open(options: DatabaseCheckOptions, used: boolean, sizeBytes: number): Finding {
  const { path, findBinding } = options;
  try {
    const raw = used ? openReader(path, findBinding()) : openWriter(copy(options), findBinding());
    try {
      return examine(raw, options, sizeBytes);
    } finally {
      raw.close();
    }
  } catch (error) {
    if (!isStorageFailure(error)) throw error;
    return damaged(path, describe(error));
  }
}

function damaged(path: string, what: string): Finding {
  return fail(
    "STORAGE_UNAVAILABLE",
    `${path} is damaged: ${what}`,
    "stop the daemon, keep a copy of the directory, then: aitbc restore BACKUP; and check the disk",
  );
}

/** Whether the disk has room for a copy, and as much again. */
async function fits(path: string, sizeBytes: number): Promise<boolean> {
  const { bavail, bsize } = await statfs(dirname(path));
  return bavail * bsize > 2 * sizeBytes;
}

/**
 * A copy to look at: opening the original would leave files beside it. It lies in the same directory, whose
 * owner alone can read it, and shares its blocks where the file system can.
 */
function copy({ path, scratch }: DatabaseCheckOptions): string {
  const target = join(scratch.inside(dirname(path)), basename(path));
  for (const suffix of ["", WAL]) {
    if (existsSync(path + suffix)) copyFileSync(path + suffix, target + suffix, constants.COPYFILE_FICLONE);
  }
  return target;
}

function examine(raw: RawDatabase, { path, migrations }: DatabaseCheckOptions, sizeBytes: number): Finding {
  const executed = executedMigrations(raw);
  assertNotNewer(migrations, executed);
  const waiting = migrations.length - executed.length;
  const schema = waiting === 0 ? "schema up to date" : `${waiting} migrations run at the next start`;
  const size = formatBytes(sizeBytes);
  if (sizeBytes > MAX_CHECKED_BYTES) {
    return info(
      `${path}, ${size}, ${schema}; too large for an integrity check in passing: aitbc backup does it`,
    );
  }
  const findings = raw.prepare(`pragma quick_check(${MAX_FINDINGS})`).pluck().all().map(String);
  if (findings.length === 1 && findings[0] === "ok") return ok(`${path}, ${size}, integrity ok, ${schema}`);
  return damaged(path, findings[0] ?? "");
}

function executedMigrations(raw: RawDatabase): readonly string[] {
  const exists = raw.prepare("select 1 from sqlite_schema where name = 'kernel_migration'").get();
  if (exists === undefined) return [];
  return raw.prepare("select name from kernel_migration order by position").pluck().all().map(String);
}
