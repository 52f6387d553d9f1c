import Sqlite from "better-sqlite3";
import { AppError } from "../errors.ts";

export type RawDatabase = Sqlite.Database;

export interface RawOptions {
  readonly readonly: boolean;
  /** The add-on, already loaded; absent: the package's own prebuilt file. */
  readonly nativeBinding?: object | undefined;
}

/** The first version without the bug that can corrupt a database when the WAL is reset. */
const MIN_SQLITE_VERSION = [3, 51, 3] as const;
/** How long a statement waits, and the process with it, for a lock that another process holds. */
const BUSY_TIMEOUT_MS = 1_000;

/** Opens a connection without touching its file. Errors: STORAGE_UNAVAILABLE. */
export function openRaw(path: string, options: RawOptions): RawDatabase {
  const { readonly, nativeBinding } = options;
  try {
    const settings: Sqlite.Options = { readonly, fileMustExist: readonly, timeout: BUSY_TIMEOUT_MS };
    // better-sqlite3 takes a loaded add-on as an object too; its types know only the path.
    if (nativeBinding !== undefined) Object.assign(settings, { nativeBinding });
    return new Sqlite(path, settings);
  } catch (cause) {
    const meta = { path, sqlite: sqliteCode(cause) ?? "" };
    throw new AppError("STORAGE_UNAVAILABLE", `cannot open the database ${path}: ${describe(cause)}`, {
      cause,
      meta,
    });
  }
}

/** SQLite's own code of an error (`SQLITE_FULL`, `SQLITE_IOERR_FSYNC`, …), or undefined. */
export function sqliteCode(error: unknown): string | undefined {
  return error instanceof Sqlite.SqliteError ? error.code : undefined;
}

/**
 * Codes after which nothing that this process believes about the file can be trusted: full disk, I/O error,
 * corruption, lost access. Extended codes start with the code they extend.
 */
const FATAL_CODE = /^SQLITE_(FULL|IOERR|CORRUPT|NOTADB|CANTOPEN|READONLY|PROTOCOL|NOMEM)/;

/** Whether an error means that the storage itself failed, not the statement. */
export function isStorageFailure(error: unknown): boolean {
  const code = sqliteCode(error);
  return code !== undefined && FATAL_CODE.test(code);
}

export function describe(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Reads one value of a pragma. */
export function pragma(raw: RawDatabase, source: string): unknown {
  return raw.pragma(source, { simple: true });
}

/** Throws STORAGE_UNSAFE unless SQLite is at least 3.51.3. */
export function assertVersion(raw: RawDatabase): void {
  const version = String(raw.prepare("select sqlite_version()").pluck().get());
  const parts = version.split(".").map(Number);
  for (const [index, least] of MIN_SQLITE_VERSION.entries()) {
    const part = parts[index] ?? 0;
    if (part > least) return;
    if (part < least) {
      throw new AppError("STORAGE_UNSAFE", `SQLite ${version} can corrupt a database; 3.51.3 is needed`, {
        meta: { version },
      });
    }
  }
}
