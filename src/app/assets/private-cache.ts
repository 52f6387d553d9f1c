import { createHash, randomBytes } from "node:crypto";
import {
  accessSync,
  chmodSync,
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { AppError } from "../../kernel/errors.ts";

/** Only the owner may look into the cache: what lies in it is loaded as code. */
const DIRECTORY_MODE = 0o700;
/** Executable, so that `access` can tell whether the file system lets code be loaded at all. */
const FILE_MODE = 0o700;
const PERMISSIONS = 0o777;
/** Permissions that let somebody else change or replace a file. */
const OTHERS = 0o077;
const RANDOM_NAME_BYTES = 8;

/** One file of an entry: where in the entry, and what it must hold. */
export interface CacheFile {
  readonly path: string;
  /** Hex. */
  readonly sha256: string;
}

/**
 * Makes sure that the directory `name` of the cache holds exactly these files' contents, and returns its path.
 * Files that are there are used only when directory and files belong to this user and every hash is right;
 * otherwise the entry is written beside and moved into place, so that nobody ever sees half of it.
 * `read` gives the contents, and is called only when the entry has to be written.
 * @throws AppError CACHE_UNUSABLE when the cache cannot be written, or a part of it belongs to somebody else.
 */
export function materializeEntry(
  cacheDir: string,
  name: string,
  files: readonly CacheFile[],
  read: () => Iterable<Uint8Array>,
): string {
  const directory = join(cacheDir, name);
  try {
    if (isIntact(directory, files)) return directory;
    mkdirSync(cacheDir, { recursive: true, mode: DIRECTORY_MODE });
    const fresh = join(cacheDir, `.new-${randomBytes(RANDOM_NAME_BYTES).toString("hex")}`);
    try {
      writeEntry(fresh, files, read());
      moveIntoPlace(fresh, directory, files);
    } finally {
      rmSync(fresh, { recursive: true, force: true });
    }
    return directory;
  } catch (error) {
    throw cacheError(cacheDir, error);
  }
}

/**
 * Checks that native code can be loaded from a file of the cache.
 * @throws AppError CACHE_UNUSABLE, for example on a file system mounted noexec.
 */
export function ensureLoadable(cacheDir: string, path: string): void {
  try {
    accessSync(path, constants.X_OK);
  } catch {
    throw cacheError(cacheDir, new Error("it does not allow code to be executed"));
  }
}

/** Turns a failure around the cache into one that says what to do about it. */
export function cacheError(cacheDir: string, error: unknown): AppError {
  if (error instanceof AppError) return error;
  const why = error instanceof Error ? error.message : String(error);
  return new AppError(
    "CACHE_UNUSABLE",
    `${cacheDir} cannot hold this program's native code: ${why}. ` +
      "Set AITBC_CACHE_DIR to a directory of your own that is writable and not mounted noexec.",
    { meta: { cache_dir: cacheDir }, cause: error },
  );
}

function isIntact(directory: string, files: readonly CacheFile[]): boolean {
  const status = lstatSync(directory, { throwIfNoEntry: false });
  if (status === undefined) return false;
  if (!status.isDirectory()) throw new Error(`${directory} is not a directory`);
  if (status.uid !== process.geteuid?.()) throw new Error(`${directory} belongs to another user`);
  if ((status.mode & OTHERS) !== 0) {
    // Others could have put files there: nothing in it counts, and it is written again.
    chmodSync(directory, DIRECTORY_MODE);
    return false;
  }
  return files.every(({ path, sha256 }) => hasContent(join(directory, path), sha256));
}

function hasContent(path: string, sha256: string): boolean {
  let file: number;
  try {
    // A link could lead to a file that somebody else may change.
    file = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW);
  } catch {
    return false;
  }
  try {
    // A file with other permissions is not as this program writes it, and may not be loadable.
    if ((fstatSync(file).mode & PERMISSIONS) !== FILE_MODE) return false;
    return createHash("sha256").update(readFileSync(file)).digest("hex") === sha256;
  } finally {
    closeSync(file);
  }
}

function writeEntry(directory: string, files: readonly CacheFile[], contents: Iterable<Uint8Array>): void {
  mkdirSync(directory, { mode: DIRECTORY_MODE });
  const next = contents[Symbol.iterator]();
  for (const { path } of files) {
    const { value, done } = next.next();
    if (done) throw new Error("the program's own assets are incomplete");
    const target = join(directory, path);
    mkdirSync(dirname(target), { recursive: true, mode: DIRECTORY_MODE });
    writeFileSync(target, value, { mode: FILE_MODE, flag: "wx" });
  }
}

/** Another process may have put the same entry there in the meantime, which is as good. */
function moveIntoPlace(fresh: string, directory: string, files: readonly CacheFile[]): void {
  try {
    renameSync(fresh, directory);
  } catch (error) {
    if (isIntact(directory, files)) return;
    const old = `${fresh}-old`;
    renameSync(directory, old);
    rmSync(old, { recursive: true, force: true });
    renameSync(fresh, directory);
    if (!isIntact(directory, files)) throw error;
  }
}
