import { AppError, type ErrorCode, type ErrorMeta } from "../errors.ts";
import type { BatchReport } from "./group-commit.ts";
import type { WriterSettings } from "./inline-writer.ts";

/** One operation for the writer's thread: a procedure's name and its arguments. */
export interface OperationMessage {
  readonly id: number;
  readonly name: string;
  readonly args: readonly unknown[];
}

/** What the daemon tells the writer's thread. */
export type ToWriter =
  | { readonly type: "open"; readonly settings: WriterSettings }
  | { readonly type: "operations"; readonly operations: readonly OperationMessage[] }
  | { readonly type: "fail"; readonly error: PlainError }
  | { readonly type: "checkpointed" }
  | { readonly type: "close" };

/** How an operation ended: after its COMMIT. */
export type ResultMessage =
  | { readonly id: number; readonly value: unknown }
  | { readonly id: number; readonly error: PlainError };

/** What the writer's thread tells the daemon. */
export type FromWriter =
  /** It has loaded its code, and can open the database. */
  | { readonly type: "loaded" }
  | {
      readonly type: "results";
      readonly results: readonly ResultMessage[];
      readonly batches: readonly { readonly report: BatchReport; readonly schemaChanged: boolean }[];
      /** Why nothing runs any more. */
      readonly failure: PlainError | undefined;
    }
  /** The log should be brought into the file; to be answered with `checkpointed`. */
  | { readonly type: "long-log" }
  /** The database could not be opened. */
  | { readonly type: "failed"; readonly error: PlainError }
  | { readonly type: "closed" };

/** An error as data: classes do not cross from thread to thread. */
export interface PlainError {
  /** Undefined for errors that are not of this program. */
  readonly code: ErrorCode | undefined;
  readonly name: string;
  readonly message: string;
  readonly meta: ErrorMeta;
  readonly stack: string | undefined;
  readonly cause: PlainError | undefined;
}

/** Causes of causes that are told; a chain that is longer is cut. */
const MAX_CAUSES = 4;

export function toPlainError(error: unknown, depth = 0): PlainError {
  const { name, message, stack, cause } = error instanceof Error ? error : new Error(String(error));
  const [code, meta] = error instanceof AppError ? [error.code, error.meta] : [undefined, {}];
  const told = cause === undefined || depth >= MAX_CAUSES ? undefined : toPlainError(cause, depth + 1);
  return { code, name, message, meta, stack, cause: told };
}

export function fromPlainError({ code, name, message, meta, stack, cause }: PlainError): Error {
  const options = cause && { cause: fromPlainError(cause) };
  const error = code ? new AppError(code, message, { meta, ...options }) : new Error(message, options);
  if (!code) error.name = name;
  if (stack !== undefined) error.stack = stack;
  return error;
}
