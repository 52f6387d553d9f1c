import { createHash } from "node:crypto";
import { type FileHandle, mkdir, open, readdir, rename, rm, stat, unlink } from "node:fs/promises";
import { dirname, join } from "node:path";
import { AppError } from "../../../kernel/errors.ts";

/** Nobody but the daemon looks into what clients upload. */
const FILE_MODE = 0o600;
const DIRECTORY_MODE = 0o700;
/** Bytes that are read at once for a download: all the memory that one takes. */
const READ_BYTES = 64 * 1024;
/** Where uploads lie until they are whole. */
const UPLOADS = "uploads";
/** Files are spread over directories by the first digits of their names. */
const SHARD = /^[0-9a-f]{2}$/;
const SHARD_DIGITS = 2;

/** A file that is whole and on disk, under a name of its own. */
export interface Upload {
  readonly path: string;
  readonly sha256: string;
  readonly sizeBytes: number;
}

/** Part of a file: from `start` to before `end`, in bytes. */
export interface ByteRange {
  readonly start: number;
  readonly end: number;
}

/** Content in files that are named by its SHA-256, `<aa>/<sha256>` below one directory. */
export class ArtifactFiles {
  readonly #directory: string;

  constructor(directory: string) {
    this.#directory = directory;
  }

  /** Makes the directory and removes uploads that an earlier process left unfinished. */
  async open(): Promise<void> {
    const uploads = join(this.#directory, UPLOADS);
    await rm(uploads, { recursive: true, force: true });
    await mkdir(uploads, { recursive: true, mode: DIRECTORY_MODE });
  }

  /**
   * Writes what comes to a file and flushes it. Takes the next part when the last one is written. On an error
   * nothing stays.
   * @throws AppError STORAGE_UNAVAILABLE, and what the source throws
   */
  async receive(name: string, source: AsyncIterable<Uint8Array>): Promise<Upload> {
    const path = join(this.#directory, UPLOADS, name);
    const handle = await open(path, "wx", FILE_MODE).catch(storageFailed);
    try {
      const hash = createHash("sha256");
      let sizeBytes = 0;
      for await (const part of source) {
        hash.update(part);
        await writeAll(handle, part).catch(storageFailed);
        sizeBytes += part.length;
      }
      await handle.sync().catch(storageFailed);
      return { path, sha256: hash.digest("hex"), sizeBytes };
    } catch (error) {
      await unlink(path).catch(() => {});
      throw error;
    } finally {
      await handle.close();
    }
  }

  /** Gives an upload its lasting name. Content that is there already is replaced by the same. */
  async keep({ path, sha256 }: Upload): Promise<void> {
    const target = this.#pathOf(sha256);
    const made = await mkdir(dirname(target), { recursive: true, mode: DIRECTORY_MODE });
    await rename(path, target);
    await syncDirectory(dirname(target));
    if (made !== undefined) await syncDirectory(this.#directory);
  }

  async discard({ path }: Upload): Promise<void> {
    await rm(path, { force: true });
  }

  async remove(sha256: string): Promise<void> {
    await rm(this.#pathOf(sha256), { force: true });
  }

  async has(sha256: string): Promise<boolean> {
    return stat(this.#pathOf(sha256)).then(
      (found) => found.isFile(),
      () => false,
    );
  }

  /**
   * The bytes of a range. The file is opened when the first of them is asked for, and each next part is read
   * when the last one was taken.
   */
  read(sha256: string, { start, end }: ByteRange): ReadableStream<Uint8Array> {
    const path = this.#pathOf(sha256);
    let handle: FileHandle | undefined;
    let position = start;
    const close = async (): Promise<void> => {
      const closing = handle;
      handle = undefined;
      await closing?.close();
    };
    return new ReadableStream<Uint8Array>(
      {
        async pull(controller) {
          try {
            handle ??= await open(path, "r");
            const part = new Uint8Array(Math.min(READ_BYTES, end - position));
            const { bytesRead } = await handle.read(part, 0, part.length, position);
            if (bytesRead === 0 && position < end) throw new AppError("INTERNAL", "the file is cut short");
            position += bytesRead;
            if (bytesRead > 0) controller.enqueue(part.subarray(0, bytesRead));
            if (position < end) return;
            await close();
            controller.close();
          } catch (error) {
            await close();
            throw error;
          }
        },
        cancel: close,
      },
      // Nothing is opened before the body is read: the answer to a HEAD request never is.
      { highWaterMark: 0 },
    );
  }

  /** The directories that hold files, by the digits that their names begin with. */
  async listShards(): Promise<string[]> {
    return (await readdir(this.#directory)).filter((name) => SHARD.test(name));
  }

  /** Names of the files of one directory. */
  listShard(shard: string): Promise<string[]> {
    return readdir(join(this.#directory, shard));
  }

  #pathOf(sha256: string): string {
    return join(this.#directory, sha256.slice(0, SHARD_DIGITS), sha256);
  }
}

/** Writes may be short: what is left is written again. */
async function writeAll(handle: FileHandle, part: Uint8Array): Promise<void> {
  for (let written = 0; written < part.length; ) {
    written += (await handle.write(part, written)).bytesWritten;
  }
}

function storageFailed(cause: unknown): never {
  throw new AppError("STORAGE_UNAVAILABLE", "the artifact cannot be written", { cause });
}

async function syncDirectory(path: string): Promise<void> {
  const handle = await open(path, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
