import { readFileSync, statSync } from "node:fs";
import { resolve } from "node:path";
import type { Client } from "../../../client/client.ts";
import { AppError, toAppError } from "../../../kernel/errors.ts";
import { formatTable, printResult } from "../../format.ts";
import { type Io, writeLine } from "../../io.ts";
import type { GlobalOptions } from "../../options.ts";
import { createProgress } from "../../progress.ts";
import { openClient } from "../../session.ts";
import { formatBar } from "./bar.ts";
import { type BatchEntry, parseBatch } from "./entries.ts";
import { type BatchState, keyOf, openState } from "./state.ts";

/** Jobs submitted at once, unless told otherwise. */
const DEFAULT_CONCURRENCY = 16;
/** Largest file of a batch, in bytes: it is kept in memory. */
const MAX_FILE_BYTES = 256 * 1024 * 1024;
/** Failures listed for people; --output json lists all. */
const MAX_SHOWN = 20;

export interface BatchOptions extends GlobalOptions {
  readonly concurrency?: number;
  readonly stateFile?: string;
}

interface Failure {
  readonly line: number;
  readonly code: string;
  readonly error: string;
}

interface Report {
  readonly entries: number;
  submitted: number;
  /** Submitted by an earlier run. */
  skipped: number;
  failed: number;
  readonly failures: Failure[];
  readonly state_file: string;
}

/** Submits all jobs of a file; returns the exit code: that of the first failure, or 0. */
export async function submitBatch(io: Io, options: BatchOptions, name: string): Promise<number> {
  const path = resolve(io.cwd, name);
  const entries = parseBatch(readBatch(path), path);
  const state = openState(options.stateFile ? resolve(io.cwd, options.stateFile) : `${path}.state.jsonl`);
  const client = await openClient(io, options, "client");
  const report: Report = {
    entries: entries.length,
    submitted: 0,
    skipped: 0,
    failed: 0,
    failures: [],
    state_file: state.path,
  };
  const abort = new AbortController();
  const stops = (["SIGINT", "SIGTERM"] as const).map((signal) => io.onSignal(signal, () => abort.abort()));
  const progress = createProgress(io);
  const began = io.uptimeMs();
  let next = 0;
  const work = async (): Promise<void> => {
    while (next < entries.length && !abort.signal.aborted) {
      const entry = entries[next++];
      if (!entry) return;
      await submitOne(client, state, entry, report, abort);
      progress.show(describe(report, io.uptimeMs() - began));
    }
  };
  const workers = Math.min(options.concurrency ?? DEFAULT_CONCURRENCY, entries.length);
  try {
    await Promise.all(Array.from({ length: workers }, work));
  } finally {
    progress.clear();
    for (const stop of stops) stop();
  }
  report.failures.sort((a, b) => a.line - b.line);
  await printResult(io, options.output ?? "table", report, () => formatReport(report));
  if (abort.signal.aborted) writeLine(io.stderr, "stopped early; the same command goes on where it stopped");
  const [first] = report.failures;
  if (first) return new AppError(first.code as never, first.error).definition.exit;
  return abort.signal.aborted ? new AppError("INTERRUPTED", "interrupted").definition.exit : 0;
}

function readBatch(path: string): string {
  try {
    if (statSync(path).size > MAX_FILE_BYTES) {
      throw new AppError("PAYLOAD_TOO_LARGE", `${path} is larger than ${MAX_FILE_BYTES} bytes; split it`);
    }
    return readFileSync(path, "utf8");
  } catch (cause) {
    if (cause instanceof AppError) throw cause;
    throw new AppError("INVALID_ARGUMENT", `cannot read ${path}`, { cause });
  }
}

/** Submits one entry. A daemon that is not there, or a key that it refuses, stops the whole batch. */
async function submitOne(
  client: Client,
  state: BatchState,
  entry: BatchEntry,
  report: Report,
  abort: AbortController,
): Promise<void> {
  const { line, job, error } = entry;
  const fail = (code: string, why: string): void => {
    report.failed++;
    report.failures.push({ line, code, error: why });
  };
  if (!job) return fail("INVALID_PAYLOAD", error ?? "is no job");
  const key = keyOf(entry);
  if (state.find(key) !== undefined) {
    report.skipped++;
    return;
  }
  try {
    const { job_id } = await client.submitJob(job, { idempotencyKey: key, signal: abort.signal });
    state.add(key, line, job_id);
    report.submitted++;
  } catch (thrown) {
    const { code, message } = toAppError(thrown);
    if (code === "INTERRUPTED") return;
    fail(code, message);
    if (["UNREACHABLE", "UNAUTHORIZED_KEY", "FORBIDDEN_KEY", "DATA_UNWRITABLE"].includes(code)) abort.abort();
  }
}

/** How far the file is. */
function describe({ entries, submitted, skipped, failed }: Report, elapsedMs: number): string {
  const done = submitted + skipped + failed;
  return formatBar({ total: entries, done, failed, since: skipped }, elapsedMs);
}

function formatReport(report: Report): string {
  const { submitted, skipped, failed, failures, state_file } = report;
  const summary = `${submitted} submitted, ${skipped} submitted before, ${failed} failed · ${state_file}`;
  if (failures.length === 0) return summary;
  const rows = failures.slice(0, MAX_SHOWN).map(({ line, error }) => [line, error]);
  const more = failures.length > MAX_SHOWN ? `\nand ${failures.length - MAX_SHOWN} more` : "";
  return `${formatTable(["line", "failure"], rows)}${more}\n${summary}`;
}
