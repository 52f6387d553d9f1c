import { lstat, mkdir, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { AppError } from "../../kernel/errors.ts";
import type { Log } from "../../kernel/log.ts";
import type { WorkDirectory } from "./engines/engine.ts";

/** What one job may keep in its directory, in bytes: an image or a song fits many times, a disk's rest does not. */
const WORK_QUOTA_BYTES = 1024 * 1024 * 1024;
/** How often a directory is measured while its job runs, in ms: a fast disk writes about the quota in it. */
const MEASURE_MS = 500;
const DIRECTORY_MODE = 0o700;

interface Lease {
  readonly job_id: string;
  readonly token: number;
}

export interface WorkDirectoriesOptions {
  /** The folder that holds them all; it belongs to this miner alone. */
  readonly root: string;
  readonly log: Log;
  readonly quotaBytes?: number;
}

/** The work directories of a miner's jobs, `<job>-<token>` each. */
export class WorkDirectories implements AsyncDisposable {
  readonly #options: WorkDirectoriesOptions;
  readonly #removals = new Set<Promise<void>>();

  constructor(options: WorkDirectoriesOptions) {
    this.#options = options;
  }

  /** Removes what an earlier process left behind. Directories that cannot be removed are logged and stay. */
  async removeStale(): Promise<void> {
    await this.#remove(this.#options.root);
  }

  /**
   * The directory of a job, made when it is asked for: most jobs never do. `onOverflow` is called once when the
   * job keeps more in it than its quota.
   */
  forJob(lease: Lease, onOverflow: (error: AppError) => void): JobDirectory {
    return new JobDirectory({
      path: join(this.#options.root, `${lease.job_id}-${lease.token}`),
      quotaBytes: this.#options.quotaBytes ?? WORK_QUOTA_BYTES,
      onOverflow,
      remove: (path) => this.#removeLater(path),
    });
  }

  /** Waits until the directories of ended jobs are gone. */
  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#removals);
  }

  #removeLater(path: string): void {
    const removal = this.#remove(path).finally(() => this.#removals.delete(removal));
    this.#removals.add(removal);
  }

  async #remove(path: string): Promise<void> {
    try {
      await rm(path, { recursive: true, force: true, maxRetries: 3 });
    } catch (error) {
      this.#options.log.warn({ err: error }, "a work directory cannot be removed");
    }
  }
}

interface JobDirectoryOptions {
  readonly path: string;
  readonly quotaBytes: number;
  readonly onOverflow: (error: AppError) => void;
  readonly remove: (path: string) => void;
}

/** The work directory of one job, until it is disposed of. */
export class JobDirectory implements WorkDirectory, Disposable {
  readonly #options: JobDirectoryOptions;
  #made: Promise<string> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #disposed = false;

  constructor(options: JobDirectoryOptions) {
    this.#options = options;
  }

  path(): Promise<string> {
    if (this.#disposed) throw new AppError("SHUTTING_DOWN", "the job has ended");
    this.#made ??= this.#make();
    return this.#made;
  }

  /** @throws AppError LIMIT_EXCEEDED when the job keeps more than its quota */
  async checkQuota(): Promise<void> {
    if (this.#made === undefined) return;
    const bytes = await sizeOf(await this.#made);
    const { quotaBytes } = this.#options;
    if (bytes <= quotaBytes) return;
    throw new AppError("LIMIT_EXCEEDED", `the job keeps ${bytes} bytes of files; ${quotaBytes} are allowed`);
  }

  /** Ends it, with all that is in it. */
  [Symbol.dispose](): void {
    if (this.#disposed) return;
    this.#disposed = true;
    clearInterval(this.#timer);
    void this.#made?.then(
      (path) => this.#options.remove(path),
      // It was never made.
      () => {},
    );
  }

  async #make(): Promise<string> {
    const { path, onOverflow } = this.#options;
    try {
      await mkdir(path, { recursive: true, mode: DIRECTORY_MODE });
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause);
      throw new AppError("CACHE_UNUSABLE", `cannot make a work directory: ${reason}`, { cause });
    }
    if (this.#disposed) return path;
    this.#timer = setInterval(() => {
      this.checkQuota().catch((error: AppError) => {
        clearInterval(this.#timer);
        if (!this.#disposed) onOverflow(error);
      });
    }, MEASURE_MS).unref();
    return path;
  }
}

/** Bytes of all files below a directory. What vanishes meanwhile counts nothing; links are not followed. */
async function sizeOf(directory: string): Promise<number> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  let bytes = 0;
  for (const entry of entries) {
    if (!entry.isFile()) continue;
    bytes += await lstat(join(entry.parentPath, entry.name)).then(
      ({ size }) => size,
      () => 0,
    );
  }
  return bytes;
}
