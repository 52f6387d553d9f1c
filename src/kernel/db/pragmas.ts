import { existsSync } from "node:fs";
import { AppError } from "../errors.ts";
import { createPrivateFile } from "./files.ts";
import { assertVersion, openRaw, pragma, type RawDatabase, type RawOptions } from "./sqlite.ts";

/** `PRAGMA synchronous` of a connection that flushes the WAL on every commit. */
const SYNCHRONOUS_FULL = 2;
/** Page cache of each connection, filled as needed: the hot pages of a million queued jobs fit. */
const CACHE_KIB = 32 * 1024;
/**
 * A checkpoint starts when the WAL is longer than this many pages (of 4 KiB): 63 MiB. Pages that many
 * commits change, such as those of an index in random order, are copied once, which halves what the disk must do.
 * After a crash all of it is read again, in some 0.1 s.
 */
export const CHECKPOINT_PAGES = 16_000;
/**
 * What the log of a busy writer may grow to before the writer brings it into the file itself: a thread beside it
 * does so from CHECKPOINT_PAGES on.
 */
const BUSY_CHECKPOINT_PAGES = 4 * CHECKPOINT_PAGES;
/** What it usually grows to meanwhile: a header of 32 bytes, and frames of a page with a header of 24. */
export const LOG_BYTES = 32 + 2 * CHECKPOINT_PAGES * (4096 + 24);
/** What a WAL file that a long reader let grow is cut back to at the next checkpoint. */
const WAL_KEEP_BYTES = 160 * 1024 * 1024;

/**
 * Opens the one writing connection: WAL, a flush on every commit, foreign keys.
 * Errors: STORAGE_UNSAFE when SQLite does not do what it was told, STORAGE_UNAVAILABLE.
 */
export function openWriter(path: string, nativeBinding?: object, busy = false): RawDatabase {
  // SQLite would make it readable by others. Never touched while it exists: closing a file drops its locks.
  if (!existsSync(path)) createPrivateFile(path);
  const raw = openConfigured(path, { readonly: false, nativeBinding }, (writer) => {
    writer.pragma("journal_mode = WAL");
    writer.pragma("synchronous = FULL");
    writer.pragma("foreign_keys = ON");
    writer.pragma(`wal_autocheckpoint = ${busy ? BUSY_CHECKPOINT_PAGES : CHECKPOINT_PAGES}`);
    writer.pragma(`journal_size_limit = ${WAL_KEEP_BYTES}`);
  });
  try {
    assertDurable(raw);
  } catch (error) {
    raw.close();
    throw error;
  }
  return raw;
}

/** Opens a connection that cannot write. The writer must be open, or have been closed cleanly. */
export function openReader(path: string, nativeBinding?: object): RawDatabase {
  return openConfigured(path, { readonly: true, nativeBinding }, (reader) => {
    reader.pragma("query_only = ON");
  });
}

/**
 * Throws STORAGE_UNSAFE unless the connection flushes each commit and checks foreign keys. It reads first:
 * until the first read SQLite reports a `synchronous` that it then lowers when the database is in WAL mode.
 */
export function assertDurable(raw: RawDatabase): void {
  raw.prepare("select count(*) from sqlite_schema").get();
  // `synchronous` comes first: asking for the journal mode would count as a read.
  const expected = { synchronous: SYNCHRONOUS_FULL, journal_mode: "wal", foreign_keys: 1 };
  for (const [name, value] of Object.entries(expected)) {
    const actual = pragma(raw, name);
    if (actual !== value) {
      throw new AppError("STORAGE_UNSAFE", `PRAGMA ${name} reads ${String(actual)}, not ${value}`, {
        meta: { pragma: name, actual: String(actual) },
      });
    }
  }
}

function openConfigured(
  path: string,
  options: RawOptions,
  configure: (raw: RawDatabase) => void,
): RawDatabase {
  const raw = openRaw(path, options);
  try {
    assertVersion(raw);
    raw.pragma(`cache_size = ${-CACHE_KIB}`);
    // Through a memory map an I/O error ends the process as a signal; through reads it is an error code.
    raw.pragma("mmap_size = 0");
    raw.pragma("temp_store = MEMORY");
    configure(raw);
    return raw;
  } catch (error) {
    raw.close();
    throw error;
  }
}
