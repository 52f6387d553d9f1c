/** Batches of calls: a file goes up, a batch runs its lines, files come down. */
import { randomUUID } from "node:crypto";
import { openAsBlob } from "node:fs";
import { stat } from "node:fs/promises";
import { basename } from "node:path";
import { AppError } from "../kernel/errors.ts";
import {
  type BatchEndpoint,
  BatchPage,
  cancelBatch,
  createBatch,
  getBatch,
  listBatches,
  OpenAiBatch,
} from "../wire/openai/batches.ts";
import { getFile, getFileContent, MAX_FILE_BYTES, OpenAiFile, uploadFile } from "../wire/openai/files.ts";
import type { TransferOptions } from "./artifacts.ts";
import type { Transport } from "./transport.ts";

/** Slowest upload that is waited for, in bytes a second: servers cut off slower ones. */
const LEAST_BYTES_PER_SECOND = 16 * 1024;
/** What an upload may take beside that, in ms. */
const UPLOAD_GRACE_MS = 60_000;
const MS_PER_SECOND = 1000;

/** The files and batches of a daemon. */
export interface BatchCalls {
  /** Uploads an input. @throws AppError INVALID_ARGUMENT for a file that cannot be read, LIMIT_EXCEEDED, … */
  upload(file: string, options?: TransferOptions): Promise<OpenAiFile>;
  create(inputFileId: string, endpoint: BatchEndpoint, options?: TransferOptions): Promise<OpenAiBatch>;
  get(batchId: string, options?: TransferOptions): Promise<OpenAiBatch>;
  cancel(batchId: string, options?: TransferOptions): Promise<OpenAiBatch>;
  /** A page of batches, newest first. */
  list(query: { after?: string; limit?: number }, options?: TransferOptions): Promise<BatchPage>;
  file(fileId: string, options?: TransferOptions): Promise<OpenAiFile>;
  /** The bytes of a file, read as they are taken. */
  openFile(fileId: string, signal: AbortSignal): Promise<ReadableStream<Uint8Array>>;
}

export function createBatchCalls(transport: Transport): BatchCalls {
  const { call } = transport;
  const ofBatch = (batch_id: string, { signal }: TransferOptions) => ({ params: { batch_id }, signal });
  return {
    upload: (file, options = {}) => upload(transport, file, options),
    create: (input_file_id, endpoint, { signal } = {}) =>
      call(createBatch, OpenAiBatch, {
        body: { input_file_id, endpoint, completion_window: "24h" },
        // One call is one batch, however often it is repeated.
        headers: { "idempotency-key": randomUUID() },
        signal,
      }),
    get: (batchId, options = {}) => call(getBatch, OpenAiBatch, ofBatch(batchId, options)),
    cancel: (batchId, options = {}) => call(cancelBatch, OpenAiBatch, ofBatch(batchId, options)),
    list: (query, { signal } = {}) => call(listBatches, BatchPage, { query, signal }),
    file: (file_id, { signal } = {}) => call(getFile, OpenAiFile, { params: { file_id }, signal }),
    async openFile(file_id, signal) {
      const { body } = await transport.open(getFileContent, { params: { file_id }, signal });
      if (body) return body;
      throw new AppError("PROTOCOL_VIOLATION", "the server sent no content");
    },
  };
}

async function upload(
  transport: Transport,
  file: string,
  { signal, onProgress }: TransferOptions,
): Promise<OpenAiFile> {
  const found = await stat(file).catch((cause: unknown) => fileFailed(file, cause));
  if (!found.isFile()) throw new AppError("INVALID_ARGUMENT", `${file} is no file`);
  if (found.size > MAX_FILE_BYTES) {
    throw new AppError("PAYLOAD_TOO_LARGE", `${file} has more than ${MAX_FILE_BYTES} bytes; split it`);
  }
  const form = new FormData();
  form.set("purpose", "batch");
  // Backed by the file: its bytes are read when they are sent.
  form.set("file", await openAsBlob(file), basename(file));
  const { body, headers } = new Response(form);
  if (!body) throw new AppError("INTERNAL", "a form has no bytes");
  let bytes = 0;
  const counted = body.pipeThrough(
    new TransformStream<Uint8Array, Uint8Array>({
      transform(part, controller) {
        bytes += part.length;
        onProgress?.(Math.min(bytes, found.size), found.size);
        controller.enqueue(part);
      },
    }),
  );
  return transport.call(uploadFile, OpenAiFile, {
    headers: { "content-type": headers.get("content-type") ?? "multipart/form-data" },
    content: counted,
    timeoutMs: UPLOAD_GRACE_MS + (found.size / LEAST_BYTES_PER_SECOND) * MS_PER_SECOND,
    signal,
  });
}

function fileFailed(file: string, cause: unknown): never {
  const reason = cause instanceof Error ? cause.message : String(cause);
  throw new AppError("INVALID_ARGUMENT", `${file}: ${reason}`, { cause });
}
