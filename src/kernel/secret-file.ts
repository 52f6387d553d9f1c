import { randomBytes } from "node:crypto";
import { chmod, link, mkdir, open, readFile, stat, unlink } from "node:fs/promises";
import { dirname } from "node:path";
import { AppError } from "./errors.ts";

/** Only the owner may read a secret and look into its directory. */
const FILE_MODE = 0o600;
const DIRECTORY_MODE = 0o700;
const OTHERS = 0o077;
/** Largest secret file that is read, in bytes: keys are far shorter. */
const MAX_SECRET_BYTES = 4096;

async function syncDirectory(path: string): Promise<void> {
  const handle = await open(path, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/**
 * Writes a new secret of one line: temporary file, fsync, link, fsync of the directory. After a crash the file
 * is whole or absent. An existing file is never replaced.
 * @throws AppError DATA_UNWRITABLE
 */
export async function createSecretFile(path: string, secret: string): Promise<void> {
  const directory = dirname(path);
  const temporary = `${path}.${randomBytes(6).toString("hex")}.tmp`;
  try {
    await mkdir(directory, { recursive: true, mode: DIRECTORY_MODE });
    const handle = await open(temporary, "wx", FILE_MODE);
    try {
      await handle.writeFile(`${secret}\n`);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await link(temporary, path);
    await unlink(temporary);
    await syncDirectory(directory);
  } catch (cause) {
    await unlink(temporary).catch(() => {});
    throw new AppError("DATA_UNWRITABLE", `cannot write ${path}: ${(cause as Error).message}`, { cause });
  }
}

/**
 * Reads a secret of one line; undefined when there is no such file.
 * @throws AppError DATA_UNWRITABLE when others may read it or it cannot be read
 */
export async function readSecretFile(path: string): Promise<string | undefined> {
  try {
    const { mode, size } = await stat(path);
    if (mode & OTHERS) {
      throw new AppError("DATA_UNWRITABLE", `${path} can be read by others; run: chmod 600 ${path}`);
    }
    if (size > MAX_SECRET_BYTES)
      throw new AppError("DATA_UNWRITABLE", `${path} is not a key file: too large`);
    return (await readFile(path, "utf8")).trim();
  } catch (cause) {
    if (cause instanceof AppError) throw cause;
    if ((cause as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw new AppError("DATA_UNWRITABLE", `cannot read ${path}: ${(cause as Error).message}`, { cause });
  }
}

/** Reads a secret, or creates it on first use. Returns what stands in the file afterwards. */
export async function readOrCreateSecret(path: string, create: () => string): Promise<string> {
  const existing = await readSecretFile(path);
  if (existing !== undefined) return existing;
  const secret = create();
  await createSecretFile(path, secret);
  await chmod(dirname(path), DIRECTORY_MODE);
  return secret;
}
