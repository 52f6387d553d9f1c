import { setTimeout as sleep } from "node:timers/promises";
import { AppError } from "../../../kernel/errors.ts";
import { problemResponse } from "../../../kernel/http/problem.ts";
import type { Principal } from "../../../wire/access.ts";
import type { BatchOutputLine } from "../../../wire/openai/batches.ts";
import { OPENAI_ERRORS } from "../../../wire/openai/errors.ts";
import { findAnswer } from "../answers.ts";
import type { BatchPort, Store, StoredContent } from "../ports.ts";
import type { BatchLineTable, BatchTable, LineState } from "../tables.ts";
import { readCall } from "./request.ts";
import { listLines } from "./store.ts";

/** Lines whose rows are read at once. */
const PAGE = 200;
/** How long a reader waits when all places for readers of streams are taken, in ms. */
const STREAM_WAIT_MS = 500;

export interface OutputDeps {
  readonly store: Store;
  readonly coordinator: BatchPort;
  readonly owner: Principal;
  readonly batch: BatchTable;
  readonly input: StoredContent;
  readonly signal: AbortSignal;
}

/**
 * The lines of an output file (`completed`) or of an error file (all others), in the order of the input. Each answer
 * is read from its job when its line is taken, so that only one is in memory. The same batch gives the same bytes.
 */
export async function* writeLines(
  deps: OutputDeps,
  states: readonly LineState[],
): AsyncGenerator<Uint8Array, void, void> {
  const { store, batch } = deps;
  for (let after = 0; ; ) {
    const page = await listLines(store.db, batch.batch_id, states, after, PAGE);
    for (const line of page) yield Buffer.from(`${JSON.stringify(await writeLine(deps, line))}\n`);
    const last = page.at(-1);
    if (!last) return;
    after = last.line;
  }
}

async function writeLine(deps: OutputDeps, line: BatchLineTable): Promise<BatchOutputLine> {
  const { custom_id, job_id: jobId, state, failure } = line;
  const id = `batch_req_${deps.batch.batch_id.slice("batch_".length)}_${line.line}`;
  if (state === "completed" && jobId !== null) {
    const body = await readBody(deps, line, jobId);
    return { id, custom_id, response: { status_code: 200, request_id: jobId, body }, error: null };
  }
  if (state === "failed") {
    const response = jobId === null ? readFailure(failure) : await readJobFailure(deps, jobId);
    return { id, custom_id, response, error: null };
  }
  return { id, custom_id, response: null, error: WHY_STOPPED[deps.batch.outcome ?? "cancelled"] };
}

const WHY_STOPPED = {
  completed: { code: "batch_cancelled", message: "This request was stopped." },
  expired: {
    code: "batch_expired",
    message: "This request could not be executed before the completion window expired.",
  },
  cancelled: {
    code: "batch_cancelled",
    message: "This request could not be executed before the batch was cancelled.",
  },
};

type Response = NonNullable<BatchOutputLine["response"]>;

/** What the call's route would have answered. */
async function readBody(deps: OutputDeps, line: BatchLineTable, jobId: string): Promise<object> {
  const { input, batch } = deps;
  const bytes = await readRange(input, { start: line.start_byte, end: line.end_byte });
  const found = await waitForStream(deps, jobId);
  return readCall(bytes, batch.endpoint).write({ jobId, ...found });
}

/** Bytes of a content, which fit into memory. */
export async function readRange(
  content: StoredContent,
  range: { readonly start: number; readonly end: number },
): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  for await (const part of content.read(range)) parts.push(part);
  return Buffer.concat(parts);
}

async function waitForStream({ coordinator, owner, signal }: OutputDeps, jobId: string) {
  for (;;) {
    try {
      return await findAnswer(coordinator, owner, jobId, signal);
    } catch (error) {
      if (!(error instanceof AppError) || error.code !== "LIMIT_EXCEEDED") throw error;
      await sleep(STREAM_WAIT_MS, undefined, { signal });
    }
  }
}

async function readJobFailure(deps: OutputDeps, jobId: string): Promise<Response> {
  try {
    await waitForStream(deps, jobId);
  } catch (error) {
    if (deps.signal.aborted) throw error;
    return toFailedResponse(error, jobId);
  }
  throw new AppError("INTERNAL", `job ${jobId} has failed and has an answer`);
}

/** What the call's route would have answered to an error. */
export async function toFailedResponse(error: unknown, requestId: string): Promise<Response> {
  const response = problemResponse(error, requestId, OPENAI_ERRORS);
  return { status_code: response.status, request_id: requestId, body: await response.json() };
}

function readFailure(failure: string | null): Response {
  if (failure === null) throw new AppError("INTERNAL", "a line has failed without a reason");
  // The column was written from such a response.
  return JSON.parse(failure) as Response;
}
