import { createReadStream } from "node:fs";
import { resolve } from "node:path";
import { createInterface } from "node:readline";
import type { Client } from "../../../client/client.ts";
import { AppError } from "../../../kernel/errors.ts";
import { parseJson } from "../../../kernel/json.ts";
import {
  BATCH_ENDPOINTS,
  type BatchEndpoint,
  MAX_BATCH_PAGE,
  type OpenAiBatch,
} from "../../../wire/openai/batches.ts";
import { formatRecord, formatTable, printResult } from "../../format.ts";
import { type Io, writeLine, writeText } from "../../io.ts";
import type { GlobalOptions } from "../../options.ts";
import { createProgress } from "../../progress.ts";
import { openClient } from "../../session.ts";
import { isOver, waitForBatch } from "./wait.ts";

export interface SubmitOptions extends GlobalOptions {
  readonly endpoint?: BatchEndpoint;
  readonly wait?: boolean;
}
export interface StatusOptions extends GlobalOptions {
  readonly wait?: boolean;
}
export interface ResultsOptions extends GlobalOptions {
  readonly file?: string;
  readonly errors?: boolean;
}

const MS_PER_SECOND = 1000;
const PERCENT = 100;
/** Errors listed for people; --output json lists all. */
const MAX_SHOWN = 20;

/** Uploads a file of calls and makes it a batch; returns the exit code. */
export async function submitToDaemon(io: Io, options: SubmitOptions, name: string): Promise<number> {
  const path = resolve(io.cwd, name);
  const endpoint = options.endpoint ?? (await readEndpoint(path));
  const client = await openClient(io, options, "client");
  const abort = new AbortController();
  const stops = (["SIGINT", "SIGTERM"] as const).map((signal) => io.onSignal(signal, () => abort.abort()));
  const progress = createProgress(io);
  const { signal } = abort;
  const show = (bytes: number, total = 0): void =>
    progress.show(`uploading · ${total === 0 ? PERCENT : Math.floor((bytes / total) * PERCENT)} %`);
  let batch: OpenAiBatch;
  try {
    const file = await client.batches.upload(path, { signal, onProgress: show });
    batch = await client.batches.create(file.id, endpoint, { signal });
  } finally {
    progress.clear();
    for (const stop of stops) stop();
  }
  if (!options.wait) {
    await printResult(io, options.output ?? "table", batch, () => batch.id);
    return 0;
  }
  writeLine(io.stderr, batch.id);
  return finish(io, options, client, batch);
}

/** The call that the first line of a file is for. @throws AppError INVALID_ARGUMENT */
async function readEndpoint(path: string): Promise<BatchEndpoint> {
  const source = createReadStream(path);
  try {
    for await (const line of createInterface({ input: source, crlfDelay: Number.POSITIVE_INFINITY })) {
      if (line.trim() === "") continue;
      const value = parseJson(line.replace(/^\uFEFF/, ""));
      const url = typeof value === "object" && value !== null && "url" in value ? value["url"] : undefined;
      const endpoint = BATCH_ENDPOINTS.find((known) => known === url);
      if (endpoint) return endpoint;
      break;
    }
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new AppError("INVALID_ARGUMENT", `${path}: ${reason}`, { cause });
  } finally {
    source.destroy();
  }
  const known = BATCH_ENDPOINTS.join(", ");
  throw new AppError("INVALID_ARGUMENT", `${path}: the first line has no url that is one of ${known}`);
}

/** Prints where a batch stands; returns the exit code: with --wait that of its end. */
export async function showBatch(io: Io, options: StatusOptions, id: string): Promise<number> {
  const client = await openClient(io, options, "client");
  const batch = await client.batches.get(id);
  if (options.wait) return finish(io, options, client, batch);
  await printResult(io, options.output ?? "table", batch, () => formatBatch(batch));
  return 0;
}

/** Waits for the end of a batch and prints it. @throws AppError BATCH_FAILED */
async function finish(io: Io, options: GlobalOptions, client: Client, begun: OpenAiBatch): Promise<number> {
  const batch = isOver(begun) ? begun : await waitForBatch(io, client, begun.id);
  await printResult(io, options.output ?? "table", batch, () => formatBatch(batch));
  const { status, request_counts } = batch;
  if (status === "completed" && request_counts.failed === 0) return 0;
  const why = status === "completed" ? `${request_counts.failed} calls failed` : `the batch is ${status}`;
  const hint = `aitbc client batch results ${batch.id} --errors tells why`;
  throw new AppError("BATCH_FAILED", why, batch.error_file_id === null ? {} : { meta: { hint } });
}

/** Prints all batches of the caller. */
export async function listBatches(io: Io, options: GlobalOptions): Promise<void> {
  const { batches } = await openClient(io, options, "client");
  const items: OpenAiBatch[] = [];
  for (let after: string | undefined; ; ) {
    const page = await batches.list({ limit: MAX_BATCH_PAGE, ...(after !== undefined && { after }) });
    items.push(...page.data);
    if (!page.has_more || page.last_id === null) break;
    after = page.last_id;
  }
  await printResult(io, options.output ?? "table", items, () =>
    formatTable(
      ["batch", "status", "done", "failed", "of", "model", "created"],
      items.map(({ id, status, request_counts: { completed, failed, total }, model, created_at }) => [
        id,
        status,
        completed,
        failed,
        total,
        model,
        formatSeconds(created_at),
      ]),
    ),
  );
}

export async function cancelBatch(io: Io, options: GlobalOptions, id: string): Promise<void> {
  const batch = await (await openClient(io, options, "client")).batches.cancel(id);
  await printResult(io, options.output ?? "table", batch, () => formatBatch(batch));
}

/** Prints or stores what a batch has answered. @throws AppError JOB_NOT_READY, FILE_NOT_FOUND */
export async function printResults(io: Io, options: ResultsOptions, id: string): Promise<void> {
  const client = await openClient(io, options, "client");
  const batch = await client.batches.get(id);
  if (!isOver(batch)) {
    throw new AppError(
      "JOB_NOT_READY",
      `the batch is ${batch.status}; wait with: aitbc client batch status ${id} --wait`,
    );
  }
  const fileId = options.errors ? batch.error_file_id : batch.output_file_id;
  if (fileId === null) {
    const what = options.errors ? "no line without an answer" : "no answer";
    throw new AppError("FILE_NOT_FOUND", `the batch is ${batch.status} and has ${what}`);
  }
  if (options.file !== undefined) {
    const { aitbc } = await client.batches.file(fileId);
    const { file } = await client.artifacts.get(aitbc.artifact, resolve(io.cwd, options.file));
    await printResult(io, options.output ?? "table", { file, batch: id }, () => file);
    return;
  }
  const abort = new AbortController();
  const stop = io.onSignal("SIGINT", () => abort.abort());
  const decoder = new TextDecoder();
  try {
    for await (const part of await client.batches.openFile(fileId, abort.signal)) {
      await writeText(io.stdout, decoder.decode(part, { stream: true }));
    }
  } finally {
    stop();
  }
}

const formatSeconds = (seconds: number): string => new Date(seconds * MS_PER_SECOND).toISOString();

function formatBatch(batch: OpenAiBatch): string {
  const { total, completed, failed } = batch.request_counts;
  const record = formatRecord([
    ["batch", batch.id],
    ["status", batch.status],
    ["calls", `${completed} of ${total} answered${failed > 0 ? `, ${failed} failed` : ""}`],
    ["endpoint", batch.endpoint],
    ["model", batch.model],
    ["created", formatSeconds(batch.created_at)],
    ["expires", isOver(batch) ? null : formatSeconds(batch.expires_at)],
    ["answers", batch.output_file_id],
    ["errors", batch.error_file_id],
  ]);
  const errors = batch.errors?.data ?? [];
  if (errors.length === 0) return record;
  const rows = errors.slice(0, MAX_SHOWN).map(({ line, message }) => [line, message]);
  const more = errors.length > MAX_SHOWN ? `\nand ${errors.length - MAX_SHOWN} more` : "";
  return `${record}\n${formatTable(["line", "fault"], rows)}${more}`;
}
