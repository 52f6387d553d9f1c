import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { AppError } from "../errors.ts";
import { openRaw, type RawDatabase, sqliteCode } from "./sqlite.ts";

/** An exclusive transaction on this file is the lock: the system drops it with the process, however it dies. */
export const LOCK_FILE = "lock.db";
/** Says who holds the lock, for people. It decides nothing, and a crash may leave it behind. */
const HOLDER_FILE = "lock.json";

export interface LockOptions {
  /** What the process does, as a person would call it: `aitbc serve`. */
  readonly command: string;
  /** Unix ms. */
  readonly now: number;
  readonly nativeBinding?: object | undefined;
}

/** Held until disposed or until the process ends. */
export interface DataLock extends Disposable {
  readonly directory: string;
  readonly held: boolean;
}

/** Takes a data directory for this process alone. Errors: DATA_IN_USE, STORAGE_UNAVAILABLE. */
export function lockDataDirectory(directory: string, options: LockOptions): DataLock {
  const raw = openRaw(join(directory, LOCK_FILE), { readonly: false, nativeBinding: options.nativeBinding });
  try {
    acquire(raw, directory);
    writeHolder(directory, options);
  } catch (error) {
    raw.close();
    throw error;
  }
  return {
    directory,
    get held() {
      return raw.open;
    },
    [Symbol.dispose]() {
      if (!raw.open) return;
      // Before the lock goes, so that it never removes what the next holder wrote.
      rmSync(join(directory, HOLDER_FILE), { force: true });
      raw.close();
    },
  };
}

function acquire(raw: RawDatabase, directory: string): void {
  raw.pragma("busy_timeout = 0");
  try {
    raw.exec("begin exclusive");
  } catch (cause) {
    if (sqliteCode(cause)?.startsWith("SQLITE_BUSY") !== true) {
      throw new AppError("STORAGE_UNAVAILABLE", `cannot lock ${directory}`, { cause });
    }
    throw new AppError("DATA_IN_USE", `${directory} is used by ${describeHolder(directory)}`, {
      cause,
      meta: { directory },
    });
  }
}

function writeHolder(directory: string, { command, now }: LockOptions): void {
  const holder = { pid: process.pid, command, started_at: new Date(now).toISOString() };
  writeFileSync(join(directory, HOLDER_FILE), `${JSON.stringify(holder)}\n`, { mode: 0o600 });
}

/** Who holds a data directory, in words, or undefined when nobody does. Changes nothing. Errors: STORAGE_UNAVAILABLE. */
export function findLockHolder(directory: string, nativeBinding?: object): string | undefined {
  const path = join(directory, LOCK_FILE);
  if (!existsSync(path)) return undefined;
  const raw = openRaw(path, { readonly: true, nativeBinding });
  try {
    raw.pragma("busy_timeout = 0");
    // A read is refused for as long as the exclusive transaction lasts.
    raw.prepare("select count(*) from sqlite_schema").get();
    return undefined;
  } catch (cause) {
    if (sqliteCode(cause)?.startsWith("SQLITE_BUSY") === true) return describeHolder(directory);
    throw new AppError("STORAGE_UNAVAILABLE", `cannot read ${path}`, { cause });
  } finally {
    raw.close();
  }
}

function describeHolder(directory: string): string {
  try {
    const holder: unknown = JSON.parse(readFileSync(join(directory, HOLDER_FILE), "utf8"));
    if (typeof holder === "object" && holder !== null) {
      const { pid, command, started_at } = holder as Readonly<Record<string, unknown>>;
      return `process ${String(pid)} (${String(command)}), running since ${String(started_at)}`;
    }
  } catch {
    // Between taking the lock and writing the file, or written by hand: the lock itself is what counts.
  }
  return "another process";
}
