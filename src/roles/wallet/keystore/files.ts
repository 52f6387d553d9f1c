import { randomBytes } from "node:crypto";
import {
  type FileHandle,
  link,
  mkdir,
  open,
  readdir,
  readFile,
  rename,
  stat,
  unlink,
} from "node:fs/promises";
import { join } from "node:path";
import { describeFileError } from "../../../kernel/data-dir.ts";
import { AppError } from "../../../kernel/errors.ts";
import { damaged, MAX_KEYSTORE_BYTES } from "./format.ts";

const FILE_MODE = 0o600;
const DIRECTORY_MODE = 0o700;
const EXTENSION = ".json";
const RANDOM_NAME_BYTES = 6;

/** The steps of a write, each one call of the operating system: a test ends the process before and after each. */
export interface Disk {
  create(path: string): Promise<FileHandle>;
  write(file: FileHandle, bytes: Uint8Array): Promise<void>;
  sync(file: FileHandle): Promise<void>;
  close(file: FileHandle): Promise<void>;
  read(path: string): Promise<Uint8Array>;
  /** Replaces what is at `to`. */
  rename(from: string, to: string): Promise<void>;
  /** Fails when there is something at `to`. */
  link(from: string, to: string): Promise<void>;
  unlink(path: string): Promise<void>;
  syncDirectory(path: string): Promise<void>;
}

export const systemDisk: Disk = {
  create: (path) => open(path, "wx", FILE_MODE),
  write: (file, bytes) => file.writeFile(bytes),
  sync: (file) => file.sync(),
  close: (file) => file.close(),
  read: (path) => readFile(path),
  rename,
  link,
  unlink,
  async syncDirectory(path) {
    const handle = await open(path, "r");
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
  },
};

/** Called with a file's bytes as they were read back, before the file takes its place. Throws when they are wrong. */
export type Trial = (written: Uint8Array) => Promise<void>;

/**
 * The keystore files of a directory, `<wallet id>.json`. A write is a temporary file, fsync, a trial of what was
 * written, rename, fsync of the directory: whenever the process ends, the old file or the new one is there, whole.
 */
export class KeystoreFiles {
  readonly #directory: string;
  readonly #disk: Disk;

  constructor(directory: string, disk: Disk = systemDisk) {
    this.#directory = directory;
    this.#disk = disk;
  }

  /** Ids of all files, sorted. Leftovers of a write that was cut off are no files. */
  async list(): Promise<readonly string[]> {
    try {
      const names = await readdir(this.#directory);
      return names
        .filter((name) => name.endsWith(EXTENSION) && !name.startsWith("."))
        .map((name) => name.slice(0, -EXTENSION.length))
        .sort();
    } catch (error) {
      if (codeOf(error) === "ENOENT") return [];
      throw unusable(this.#directory, error);
    }
  }

  /** @throws AppError WALLET_NOT_FOUND, KEYSTORE_DAMAGED when it is far too large */
  async read(walletId: string): Promise<Uint8Array> {
    const path = this.#pathOf(walletId);
    try {
      if ((await stat(path)).size > MAX_KEYSTORE_BYTES) throw damaged();
      return await this.#disk.read(path);
    } catch (error) {
      if (codeOf(error) === "ENOENT") {
        throw new AppError("WALLET_NOT_FOUND", `there is no wallet ${walletId}`, { cause: error });
      }
      throw unusable(path, error);
    }
  }

  /** Writes a new file. @throws AppError WALLET_EXISTS, DATA_UNWRITABLE, and what the trial throws */
  create(walletId: string, bytes: Uint8Array, trial: Trial): Promise<void> {
    return this.#write(walletId, bytes, trial, async (temporary, path) => {
      try {
        await this.#disk.link(temporary, path);
      } catch (error) {
        if (codeOf(error) !== "EEXIST") throw error;
        throw new AppError("WALLET_EXISTS", `there is a wallet ${walletId} already`, { cause: error });
      }
      await this.#disk.unlink(temporary);
    });
  }

  /**
   * Writes a file in place of `old`.
   * @throws AppError CONFLICT_STATE when the file is not `old` any more, DATA_UNWRITABLE, and what the trial throws
   */
  replace(walletId: string, old: Uint8Array, bytes: Uint8Array, trial: Trial): Promise<void> {
    return this.#write(walletId, bytes, trial, async (temporary, path) => {
      // Another process may have changed the wallet while this one hashed passwords.
      if (Buffer.compare(await this.#disk.read(path), old) !== 0) {
        throw new AppError("CONFLICT_STATE", `the wallet ${walletId} was changed meanwhile; try again`);
      }
      await this.#disk.rename(temporary, path);
    });
  }

  async remove(walletId: string): Promise<void> {
    const path = this.#pathOf(walletId);
    try {
      await this.#disk.unlink(path);
      await this.#sweep(walletId);
      await this.#disk.syncDirectory(this.#directory);
    } catch (error) {
      throw unusable(path, error);
    }
  }

  #pathOf(walletId: string): string {
    return join(this.#directory, `${walletId}${EXTENSION}`);
  }

  async #write(
    walletId: string,
    bytes: Uint8Array,
    trial: Trial,
    place: (temporary: string, path: string) => Promise<void>,
  ): Promise<void> {
    const path = this.#pathOf(walletId);
    const unique = `${process.pid}.${randomBytes(RANDOM_NAME_BYTES).toString("hex")}`;
    const temporary = join(this.#directory, `.${walletId}.${unique}.tmp`);
    try {
      await mkdir(this.#directory, { recursive: true, mode: DIRECTORY_MODE });
      await this.#writeTemporary(temporary, bytes);
      await trial(await this.#disk.read(temporary));
      await place(temporary, path);
      await this.#disk.syncDirectory(this.#directory);
    } catch (error) {
      await unlink(temporary).catch(() => {});
      throw unusable(path, error);
    }
    await this.#sweep(walletId);
  }

  /** Removes what writes of processes that are gone have left: it opens with the password of its day. */
  async #sweep(walletId: string): Promise<void> {
    const leftover = new RegExp(`^\\.${RegExp.escape(walletId)}\\.(\\d+)\\.[0-9a-f]+\\.tmp$`);
    const names = await readdir(this.#directory).catch(() => []);
    const found = names.filter((name) => {
      const [, pid] = leftover.exec(name) ?? [];
      return pid !== undefined && !isRunning(Number(pid));
    });
    // One that stays hinders nobody.
    await Promise.allSettled(found.map((name) => unlink(join(this.#directory, name))));
  }

  async #writeTemporary(path: string, bytes: Uint8Array): Promise<void> {
    const file = await this.#disk.create(path);
    try {
      await this.#disk.write(file, bytes);
      await this.#disk.sync(file);
    } finally {
      await this.#disk.close(file);
    }
  }
}

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    // Somebody else's process may not be asked, but it runs.
    return codeOf(error) === "EPERM";
  }
}

const codeOf = (error: unknown): string | undefined => (error as NodeJS.ErrnoException).code;

/** Leaves errors of our own as they are. */
function unusable(path: string, error: unknown): AppError {
  if (error instanceof AppError) return error;
  return new AppError("DATA_UNWRITABLE", `${path} ${describeFileError(error)}`, {
    cause: error,
    meta: { path },
  });
}
