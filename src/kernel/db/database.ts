import type { Kysely, Transaction } from "kysely";
import { AppError } from "../errors.ts";
import { BATCH_BOUNDS, type BatchBounds, type BatchReport, GroupCommit } from "./group-commit.ts";
import { createHandle } from "./handle.ts";
import { assertOutsideOperation } from "./operation.ts";
import { openReader, openWriter } from "./pragmas.ts";
import { readRule } from "./rules.ts";
import { isStorageFailure } from "./sqlite.ts";
import { Statements } from "./statements.ts";
import { Writer } from "./writer.ts";

export type { BatchBounds, BatchReport };

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
  stats(): DatabaseStats;
}

/** Opens a SQLite database. Errors: STORAGE_UNSAFE, STORAGE_UNAVAILABLE. */
export function openDatabase<Schema>(options: DatabaseOptions): Database<Schema> {
  const writer = openWriter(options.path, options.nativeBinding);
  if (options.maxPageCount !== undefined) writer.pragma(`max_page_count = ${options.maxPageCount}`);
  const reader = openReader(options.path, options.nativeBinding);
  const reads = new Statements(reader, readRule);
  const totals = { commits: 0, operations: 0 };
  let schemaChanged = false;
  const onSchemaChange = (): void => {
    schemaChanged = true;
  };
  const commits = new GroupCommit(new Writer(writer, onSchemaChange), {
    bounds: options.batch ?? BATCH_BOUNDS,
    onFatal: options.onFatal,
    onBatch(report) {
      totals.commits++;
      totals.operations += report.operations;
      if (schemaChanged) reads.clear();
      schemaChanged = false;
      options.onBatch?.(report);
    },
  });
  const db = createHandle<Schema>((query) => {
    assertOutsideOperation("the handle for reads");
    if (!reader.open) throw new AppError("SHUTTING_DOWN", "the database is closed");
    try {
      return reads.execute(query.sql, query.parameters);
    } catch (error) {
      if (isStorageFailure(error)) commits.fail(error);
      throw error;
    }
  });
  return {
    db,
    async operation<Args extends readonly unknown[], T>(
      body: (tx: Transaction<Schema>, ...args: Args) => Promise<T>,
      ...args: Args
    ): Promise<T> {
      assertOutsideOperation("another operation");
      // The outcome of a body is what the body returned.
      return commits.add((tx) => body(tx, ...args)) as Promise<T>;
    },
    stats: () => ({ ...totals, queued: commits.queued }),
    async [Symbol.asyncDispose]() {
      await commits.close();
      reader.close();
      writer.close();
    },
  };
}
