import { AsyncLocalStorage } from "node:async_hooks";
import type { QueryResult } from "kysely";
import { AppError } from "../errors.ts";
import { createOperationHandle } from "./handle.ts";
import type { BulkBody, ProcedureBody } from "./procedures.ts";

/** How the body of an operation ended. */
export type Outcome = { readonly value: unknown } | { readonly error: unknown };

/** Runs one statement on the writer. Throws what SQLite throws. */
export type WriterExecute = (sql: string, parameters: readonly unknown[]) => QueryResult<unknown>;

/** What an operation runs. */
export interface Work {
  readonly body: ProcedureBody;
  readonly args: readonly unknown[];
  /** How works with the same body run together; undefined where they do not. */
  readonly inBulk: BulkBody | undefined;
}

const current = new AsyncLocalStorage<Operation>();
const ignore = (): void => {};

/** Throws STORAGE_MISUSE when called, directly or not, by the body of a running operation. */
export function assertOutsideOperation(what: string): void {
  const operation = current.getStore();
  if (operation === undefined || operation.outcome !== undefined) return;
  throw new AppError("STORAGE_MISUSE", `${what} inside an operation would wait for itself`);
}

/** Works with one body as one work. */
function inOne(works: readonly Work[], inBulk: BulkBody): Work {
  const body: ProcedureBody = async (tx) => {
    const values = await inBulk(
      tx,
      works.map(({ args }) => args),
    );
    if (values.length === works.length) return values;
    throw new AppError(
      "STORAGE_MISUSE",
      `${inBulk.name} has ${values.length} results for ${works.length} calls`,
    );
  };
  return { body, args: [], inBulk: undefined };
}

/** One queued piece of work, and what became of it. */
export class Operation {
  readonly work: Work;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: unknown) => void;
  #outcome: Outcome | undefined;
  #failedStatement: unknown;
  #abandoned = false;
  #ended: (() => void) | undefined;

  constructor(work: Work, resolve: (value: unknown) => void, reject: (error: unknown) => void) {
    this.work = work;
    this.resolve = resolve;
    this.reject = reject;
  }

  /**
   * Operations with one body as one, which nobody waits for: when it has ended they `share` its outcome. Where the body
   * has no bulk form there is one.
   */
  static together(operations: readonly Operation[]): Operation | undefined {
    const [first] = operations;
    if (operations.length <= 1 || !first?.work.inBulk) return first;
    const works = operations.map(({ work }) => work);
    return new Operation(inOne(works, first.work.inBulk), ignore, ignore);
  }

  /** The same work, not yet begun, for the same caller. This one is over: its handle runs nothing any more. */
  again(): Operation {
    return new Operation(this.work, this.resolve, this.reject);
  }

  get abandoned(): boolean {
    return this.#abandoned;
  }

  /** Whether the body ended with an error. */
  get failed(): boolean {
    return this.#outcome !== undefined && "error" in this.#outcome;
  }

  /** How the body ended; undefined while it runs and before. */
  get outcome(): Outcome | undefined {
    return this.#outcome;
  }

  /** Runs the body. `ended` is called once, in a microtask of its last statement or by `abandon`. */
  start(execute: WriterExecute, ended: () => void): void {
    this.#ended = ended;
    const tx = createOperationHandle((query) => this.#execute(execute, query.sql, query.parameters));
    let running: Promise<unknown>;
    try {
      running = current.run(this, this.work.body, tx, ...this.work.args);
    } catch (error) {
      this.#end({ error });
      return;
    }
    running.then(
      (value) => this.#end({ value }),
      (error: unknown) => this.#end({ error }),
    );
  }

  /** Ends an operation whose body did not: whatever it still does fails. */
  abandon(error: AppError): void {
    this.#abandoned = true;
    this.#end({ error });
  }

  /** Ends operations that ran together as this one, each with its own value or all with the error. */
  share(operations: readonly Operation[]): void {
    const outcome = this.#outcome;
    if (outcome === undefined) return;
    const values = "value" in outcome ? (outcome.value as readonly unknown[]) : undefined;
    for (const [index, operation] of operations.entries()) {
      operation.#abandoned = this.#abandoned;
      operation.#outcome = values ? { value: values[index] } : outcome;
    }
  }

  /** Hands the outcome to the caller. */
  settle(): void {
    const outcome = this.#outcome;
    if (outcome === undefined) return;
    if ("error" in outcome) this.reject(outcome.error);
    else this.resolve(outcome.value);
  }

  #end(outcome: Outcome): void {
    if (this.#outcome !== undefined) return;
    // A body that caught the error of a statement and went on would commit on SQLite and fail on PostgreSQL.
    const failed = this.#failedStatement;
    this.#outcome = failed !== undefined && !("error" in outcome) ? { error: failed } : outcome;
    this.#ended?.();
  }

  #execute(execute: WriterExecute, sql: string, parameters: readonly unknown[]): QueryResult<unknown> {
    if (this.#outcome !== undefined) {
      throw new AppError("STORAGE_MISUSE", "the operation of this handle has ended", { meta: { sql } });
    }
    if (this.#failedStatement !== undefined) {
      throw new AppError("STORAGE_MISUSE", "an earlier statement of this operation failed", {
        meta: { sql },
        cause: this.#failedStatement,
      });
    }
    try {
      return execute(sql, parameters);
    } catch (error) {
      this.#failedStatement = error;
      throw error;
    }
  }
}
