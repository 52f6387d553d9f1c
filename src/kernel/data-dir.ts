import {
  chmodSync,
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  rmSync,
  statSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { LOCK_FILE } from "./db/lock.ts";
import { AppError } from "./errors.ts";

const PRIVATE_MODE = 0o700;
const OTHERS = 0o077;
/** Written and removed to see whether the directory takes data. */
const PROBE_FILE = ".probe";
/** Larger than what a full file system still squeezes into a file's own metadata. */
const PROBE_BYTES = 64 * 1024;

/**
 * Makes the data directory if it is not there, with its parents, and proves that it takes data. It is for its
 * owner only. An existing one that others can enter is closed to them when it is empty or already a data
 * directory, and refused otherwise, since it may be meant for others.
 * Errors: DATA_UNWRITABLE.
 */
export function openDataDirectory(path: string): void {
  try {
    mkdirSync(path, { recursive: true, mode: PRIVATE_MODE });
    if (!statSync(path).isDirectory()) throw unwritable(path, "is not a directory");
    makePrivate(path);
    probe(path);
  } catch (cause) {
    if (cause instanceof AppError) throw cause;
    throw unwritable(path, describeFileError(cause), cause);
  }
}

/** A short reason a person understands, for an error of the file system. */
export function describeFileError(error: unknown): string {
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  switch (code) {
    case "EROFS":
      return "is on a read-only file system";
    case "EACCES":
    case "EPERM":
      return "cannot be written by this user";
    case "ENOSPC":
    case "EDQUOT":
      return "has no space left";
    case "EEXIST":
    case "ENOTDIR":
      return "is not a directory";
    default:
      return `cannot be used: ${error instanceof Error ? error.message : String(error)}`;
  }
}

function makePrivate(path: string): void {
  if ((statSync(path).mode & OTHERS) === 0) return;
  const entries = readdirSync(path);
  if (entries.length > 0 && !entries.includes(LOCK_FILE)) {
    throw unwritable(path, `is open to other users and holds other files; run: chmod 700 ${path}`);
  }
  chmodSync(path, PRIVATE_MODE);
}

function probe(path: string): void {
  const name = join(path, PROBE_FILE);
  try {
    const file = openSync(name, "w", 0o600);
    try {
      writeSync(file, new Uint8Array(PROBE_BYTES));
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
  } finally {
    rmSync(name, { force: true });
  }
}

function unwritable(path: string, reason: string, cause?: unknown): AppError {
  return new AppError("DATA_UNWRITABLE", `the data directory ${path} ${reason}`, { cause, meta: { path } });
}
