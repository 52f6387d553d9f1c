import type { Kysely, Transaction } from "kysely";
import { AppError } from "../errors.ts";
import type { BatchBounds, BatchReport } from "./group-commit.ts";
import { createHandle } from "./handle.ts";
import { assertOutsideOperation } from "./operation.ts";
import { OperationRunner, type StoreThread, type WriterThreadOptions } from "./operation-runner.ts";
import { openReader } from "./pragmas.ts";
import { readRule } from "./rules.ts";
import { isStorageFailure } from "./sqlite.ts";
import { Statements } from "./statements.ts";

export type { BatchBounds, BatchReport, StoreThread, WriterThreadOptions };

export interface DatabaseOptions {
  /** The database file; made if it does not exist. */
  readonly path: string;
  /** The SQLite add-on, already loaded; absent: the package's own. */
  readonly nativeBinding?: object | undefined;
  /** Called once when the storage failed (full disk, I/O error, failed COMMIT): the process must end. */
  readonly onFatal: (error: AppError) => void;
  /** Called after each commit, for metrics. */
  readonly onBatch?: ((report: BatchReport) => void) | undefined;
  readonly batch?: BatchBounds | undefined;
  /** Largest size of the file in pages of 4 KiB; past it writes fail as on a full disk. */
  readonly maxPageCount?: number | undefined;
}

export interface DatabaseStats {
  /** Physical transactions, since opening. */
  readonly commits: number;
  /** Operations in them, refused ones included. */
  readonly operations: number;
  /** Operations waiting now. */
  readonly queued: number;
  /** Whether operations run in a thread of their own. */
  readonly isThreaded: boolean;
}

/** See `Database.operation`. */
export type RunOperation<Handle> = <Args extends readonly unknown[], T>(
  body: (tx: Handle, ...args: Args) => Promise<T>,
  ...args: Args
) => Promise<T>;

/** One database, shared by all roles. */
export interface Database<Schema> extends AsyncDisposable {
  /** For reads outside operations: they never wait for the writer. A write through it is STORAGE_MISUSE. */
  readonly db: Kysely<Schema>;
  /**
   * Runs `body` with its arguments as one atomic operation inside the next group commit; resolves or rejects only
   * after COMMIT returned. The body awaits nothing but SQL on its `tx`, changes no memory, emits nothing, and can be run
   * again. An error thrown by it, or by any of its statements, undoes it alone. Errors: what the body throws,
   * STORAGE_MISUSE, LIMIT_EXCEEDED (too many wait), OUTCOME_UNKNOWN (the storage failed after the
   * body had begun), STORAGE_UNAVAILABLE (it failed before that, so nothing was written), SHUTTING_DOWN.
   */
  readonly operation: RunOperation<Transaction<Schema>>;
  /**
   * From here on bodies must be procedures (else STORAGE_MISUSE), and a writer that is busy runs them in a thread of
   * its own, so that this one never waits for the disk.
   */
  useThread(options: WriterThreadOptions): void;
  stats(): DatabaseStats;
}

/** Opens a SQLite database. Errors: STORAGE_UNSAFE, STORAGE_UNAVAILABLE. */
export function openDatabase<Schema>(options: DatabaseOptions): Database<Schema> {
  const { path, batch, maxPageCount, nativeBinding } = options;
  const totals = { commits: 0, operations: 0 };
  const runner = new OperationRunner(
    { path, batch, maxPageCount },
    {
      onFatal: options.onFatal,
      onBatch(report, schemaChanged) {
        totals.commits++;
        totals.operations += report.operations;
        if (schemaChanged) reads.clear();
        options.onBatch?.(report);
      },
    },
    nativeBinding,
  );
  const reader = openReader(path, nativeBinding);
  const reads = new Statements(reader, readRule);
  const db = createHandle<Schema>((query) => {
    assertOutsideOperation("the handle for reads");
    if (!reader.open) throw new AppError("SHUTTING_DOWN", "the database is closed");
    try {
      return reads.execute(query.sql, query.parameters);
    } catch (error) {
      if (isStorageFailure(error)) runner.fail(error);
      throw error;
    }
  });
  return {
    db,
    // Not async: a promise around the runner's would cost each operation three turns of the microtasks.
    operation<Args extends readonly unknown[], T>(
      body: (tx: Transaction<Schema>, ...args: Args) => Promise<T>,
      ...args: Args
    ): Promise<T> {
      try {
        assertOutsideOperation("another operation");
      } catch (error) {
        return Promise.reject(error);
      }
      // The outcome of a body is what the body returned.
      return runner.run(body, args) as Promise<T>;
    },
    useThread: (thread) => runner.useThread(thread),
    stats: () => ({ ...totals, queued: runner.queued, isThreaded: runner.isThreaded }),
    async [Symbol.asyncDispose]() {
      await runner.drain();
      // The last connection that closes brings the log into the file, which only the writer can.
      reader.close();
      await runner.close();
    },
  };
}
