import type { QueryResult } from "kysely";
import { AppError } from "../errors.ts";
import type { WriterExecute } from "./operation.ts";
import { operationRule } from "./rules.ts";
import { isStorageFailure, type RawDatabase } from "./sqlite.ts";
import { Statements } from "./statements.ts";

type ControlStatement = "begin" | "savepoint" | "release" | "rollbackTo" | "rollback" | "commit";

/**
 * The writing connection. Once `failure` is set nothing runs on it any more: SQLite itself rolled the
 * transaction back, COMMIT failed, or the storage reported an error that leaves the file in doubt.
 */
export class Writer {
  readonly #raw: RawDatabase;
  readonly #statements: Statements;
  readonly #control: Readonly<Record<ControlStatement, () => void>>;
  #failure: unknown;

  constructor(raw: RawDatabase, onSchemaChange: () => void) {
    this.#raw = raw;
    this.#statements = new Statements(raw, operationRule, onSchemaChange);
    const compile = (sql: string): (() => void) => {
      const statement = raw.prepare(sql);
      return () => void statement.run();
    };
    this.#control = {
      begin: compile("begin immediate"),
      savepoint: compile("savepoint operation"),
      release: compile("release operation"),
      rollbackTo: compile("rollback to operation"),
      rollback: compile("rollback"),
      commit: compile("commit"),
    };
  }

  /** Why nothing runs any more; undefined while all is well. */
  get failure(): unknown {
    return this.#failure;
  }

  /** Starts a batch. Throws when another process holds the lock; the batch can be tried again. */
  begin(): void {
    try {
      this.#control.begin();
    } catch (error) {
      if (isStorageFailure(error)) this.#failure ??= error;
      throw error;
    }
  }

  /** Runs one statement of an operation. */
  readonly execute: WriterExecute = (sql, parameters): QueryResult<unknown> => {
    if (this.#failure !== undefined) {
      throw new AppError("STORAGE_UNAVAILABLE", "the storage failed", { cause: this.#failure });
    }
    try {
      return this.#statements.execute(sql, parameters);
    } catch (error) {
      if (isStorageFailure(error) || !this.#raw.inTransaction) this.#failure = error;
      throw error;
    }
  };

  /** Undoes the batch and starts it anew; whether that worked. */
  restart(): boolean {
    this.#step("rollback");
    this.#step("begin");
    return this.#failure === undefined;
  }

  savepoint(): void {
    this.#step("savepoint");
  }

  releaseSavepoint(): void {
    this.#step("release");
  }

  rollbackToSavepoint(): void {
    this.#step("rollbackTo");
    this.#step("release");
  }

  /** Ends a batch. An error becomes `failure`: what is on the disk is then unknown, and never retried. */
  commit(): void {
    this.#step("commit");
  }

  /** Gives up the open transaction, if SQLite still has one. */
  abandon(): void {
    if (!this.#raw.inTransaction) return;
    try {
      this.#raw.exec("rollback");
    } catch (error) {
      this.#failure ??= error;
    }
  }

  /** A statement that can only fail when the transaction is lost. */
  #step(name: ControlStatement): void {
    if (this.#failure !== undefined) return;
    try {
      this.#control[name]();
    } catch (error) {
      this.#failure = error;
    }
  }
}
