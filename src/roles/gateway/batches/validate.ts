import { AppError } from "../../../kernel/errors.ts";
import { toFailure } from "../../../kernel/http/problem.ts";
import {
  type BatchError,
  MAX_BATCH_ERRORS,
  MAX_BATCH_LINE_BYTES,
  MAX_BATCH_LINES,
} from "../../../wire/openai/batches.ts";
import { toOpenAiError } from "../../../wire/openai/errors.ts";
import type { CoordinatorPort, Store, StoredContent } from "../ports.ts";
import type { BatchTable } from "../tables.ts";
import { type FileLine, readLines } from "./lines.ts";
import { readCall } from "./request.ts";
import { deleteLines, insertLines, type NewLine } from "./store.ts";

/** Lines that are stored by one operation. */
const INSERT_PAGE = 250;

interface ValidateDeps {
  readonly store: Store;
  readonly coordinator: Pick<CoordinatorPort, "findModel">;
}

/** What the reading of an input found. */
export interface Validated {
  readonly total: number;
  /** The model of all lines; null where there is none. */
  readonly model: string | null;
  /** Empty: the batch can run. */
  readonly errors: readonly BatchError[];
}

/**
 * Reads a batch's input and stores where its lines lie; what an earlier process left of that is removed first.
 * At most one line and one page of numbers are in memory. Gives up when the signal aborts.
 * @throws AppError ARTIFACT_NOT_FOUND
 */
export async function validate(
  deps: ValidateDeps,
  { batch_id, endpoint }: Pick<BatchTable, "batch_id" | "endpoint">,
  content: StoredContent,
  signal: AbortSignal,
): Promise<Validated> {
  const { store } = deps;
  await deleteAllLines(store, batch_id);
  const errors: BatchError[] = [];
  let total = 0;
  let model: string | null = null;
  let page: NewLine[] = [];
  const flush = async (): Promise<void> => {
    const lines = page;
    page = [];
    for (const line of await store.operation(insertLines, batch_id, lines)) {
      const message = "the custom_id stands on an earlier line too";
      errors.push({ code: "duplicate_custom_id", message, param: "custom_id", line });
    }
  };
  const source = content.read({ start: 0, end: content.sizeBytes });
  for await (const line of readLines(source)) {
    if (signal.aborted) throw new AppError("SHUTTING_DOWN", "stopped while a batch was read");
    if (line.bytes?.every(isSpace)) continue;
    total++;
    const fault = total > MAX_BATCH_LINES ? tooMany(line) : undefined;
    const read = fault ?? readLine(deps, endpoint, line);
    if ("code" in read) errors.push(read);
    else {
      model ??= read.model;
      if (read.model !== model) errors.push(otherModel(line, model));
      page.push({ line: line.number, custom_id: read.customId, start_byte: line.start, end_byte: line.end });
    }
    if (page.length >= INSERT_PAGE) await flush();
    if (errors.length >= MAX_BATCH_ERRORS || fault) break;
  }
  await flush();
  if (total === 0) {
    errors.push({ code: "empty_file", message: "the file has no lines", param: null, line: null });
  }
  errors.sort((a, b) => (a.line ?? 0) - (b.line ?? 0));
  return { total, model, errors: errors.slice(0, MAX_BATCH_ERRORS) };
}

/** Deletes the lines of a batch, some at a time. */
export async function deleteAllLines(store: Store, batchId: string): Promise<void> {
  while (await store.operation(deleteLines, batchId));
}

const SPACES: readonly number[] = [0x20, 0x09, 0x0d];
const isSpace = (byte: number): boolean => SPACES.includes(byte);

function readLine(
  { coordinator }: ValidateDeps,
  endpoint: BatchTable["endpoint"],
  { bytes, number }: FileLine,
): { readonly model: string; readonly customId: string } | BatchError {
  try {
    if (!bytes) {
      throw new AppError(
        "PAYLOAD_TOO_LARGE",
        `the line is longer than ${MAX_BATCH_LINE_BYTES} bytes; send such a call by itself`,
      );
    }
    const call = readCall(bytes, endpoint);
    call.toJob(coordinator);
    return { model: call.model, customId: call.customId };
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    const { code, message, param } = toOpenAiError(toFailure(error, "")).error;
    return { code: code ?? error.code.toLowerCase(), message, param: param || null, line: number };
  }
}

function tooMany({ number }: FileLine): BatchError {
  const message = `a batch has at most ${MAX_BATCH_LINES} lines; split the file`;
  return { code: "too_many_lines", message, param: null, line: number };
}

function otherModel({ number }: FileLine, model: string): BatchError {
  const message = `the lines before name the model ${model}: a batch is for one model`;
  return { code: "mismatched_model", message, param: "body.model", line: number };
}
