import { closeSync, fstatSync, openSync, statfsSync, writeSync } from "node:fs";

/** What the log is lengthened by at once, in bytes: its flush takes no longer than that of a large batch. */
const STEP_BYTES = 256 * 1024;
/** Room on the disk below which the log is left as it is, as a multiple of what it may become. */
const LEAST_ROOM = 8;

/**
 * Lengthens SQLite's write-ahead log ahead of the writer, by zeros. A flush of blocks that the file has already takes
 * half as long as one that must also write down the file's new length. SQLite reads the log up to the first frame
 * that is not of its present generation, and zeros are none (https://sqlite.org/fileformat2.html#walformat), so it is
 * the same log. Only the thread that writes may call this, between transactions: then nobody else appends.
 */
export class LogRoom implements Disposable {
  readonly #file: number;
  readonly #targetBytes: number;
  readonly #zeros = Buffer.alloc(STEP_BYTES);
  #done: boolean;

  /** `path` is the log's, which must exist. */
  constructor(path: string, targetBytes: number) {
    this.#file = openSync(path, "r+");
    this.#targetBytes = targetBytes;
    const { bavail, bsize } = statfsSync(path);
    this.#done = bavail * bsize < LEAST_ROOM * targetBytes;
  }

  /** Adds a step, until the log is as long as it may become. A disk without room is left to SQLite to complain of. */
  grow(): void {
    if (this.#done) return;
    try {
      const { size } = fstatSync(this.#file);
      if (size < this.#targetBytes) writeSync(this.#file, this.#zeros, 0, STEP_BYTES, size);
      else this.#done = true;
    } catch {
      this.#done = true;
    }
  }

  [Symbol.dispose](): void {
    closeSync(this.#file);
  }
}
