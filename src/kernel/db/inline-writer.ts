import type { AppError } from "../errors.ts";
import { BATCH_BOUNDS, type BatchBounds, type BatchReport, GroupCommit } from "./group-commit.ts";
import type { Work } from "./operation.ts";
import { openWriter } from "./pragmas.ts";
import { WriteLog } from "./write-log.ts";
import { Writer } from "./writer.ts";

/** Where and how a writer writes. Plain data: it may be opened in another thread. */
export interface WriterSettings {
  /** The database file; made if it does not exist. */
  readonly path: string;
  readonly batch: BatchBounds | undefined;
  /** Largest size of the file in pages of 4 KiB; past it writes fail as on a full disk. */
  readonly maxPageCount: number | undefined;
}

/** What a writer tells its owner. */
export interface WriterEvents {
  /** Called once, when the storage failed. Nothing runs afterwards. */
  onFatal(error: AppError): void;
  /** Called after each commit; `schemaChanged`: what is compiled for the old schema must be compiled anew. */
  onBatch(report: BatchReport, schemaChanged: boolean): void;
  /** Of a busy writer: the log is long, and should be brought into the file beside it. */
  readonly onLongLog?: (() => void) | undefined;
}

/** The one writing connection, and the operations that run on it in this thread. */
export class InlineWriter {
  readonly #raw: ReturnType<typeof openWriter>;
  readonly #commits: GroupCommit;
  readonly #log: WriteLog | undefined;

  /** Opens the database. Errors: STORAGE_UNSAFE, STORAGE_UNAVAILABLE. */
  constructor(settings: WriterSettings, events: WriterEvents, nativeBinding: object | undefined) {
    const { onLongLog } = events;
    this.#raw = openWriter(settings.path, nativeBinding, onLongLog !== undefined);
    if (settings.maxPageCount !== undefined) this.#raw.pragma(`max_page_count = ${settings.maxPageCount}`);
    const log = onLongLog && new WriteLog(this.#raw, settings.path, onLongLog);
    this.#log = log;
    let schemaChanged = false;
    const writer = new Writer(this.#raw, () => {
      schemaChanged = true;
    });
    this.#commits = new GroupCommit(writer, {
      bounds: settings.batch ?? BATCH_BOUNDS,
      onFatal: (error) => events.onFatal(error),
      onBatch(report) {
        events.onBatch(report, schemaChanged);
        schemaChanged = false;
        log?.committed();
      },
    });
  }

  /** Operations that wait. */
  get queued(): number {
    return this.#commits.queued;
  }

  /** Runs work; resolves or rejects after its COMMIT. */
  run(work: Work): Promise<unknown> {
    return new Promise((resolve, reject) => this.#commits.add(work, resolve, reject));
  }

  /** As `run`, for whoever hands outcomes on: thousands of promises a second are spared. */
  start(work: Work, resolve: (value: unknown) => void, reject: (error: unknown) => void): void {
    this.#commits.add(work, resolve, reject);
  }

  /** Nothing runs any more: the storage failed elsewhere. */
  fail(cause: unknown): void {
    this.#commits.fail(cause);
  }

  /** The log was brought into the file, as `onLongLog` asked. */
  checkpointed(): void {
    this.#log?.checkpointed();
  }

  /** Takes nothing new, and waits for what has come. */
  drain(): Promise<void> {
    return this.#commits.close();
  }

  /** Closes the connection, after `drain`. */
  async close(): Promise<void> {
    this.#log?.[Symbol.dispose]();
    this.#raw.close();
  }
}
