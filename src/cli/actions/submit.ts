import type { Client, JobInput } from "../../client/client.ts";
import { AppError } from "../../kernel/errors.ts";
import { MAX_BODY_BYTES } from "../../wire/limits.ts";
import { printResult } from "../format.ts";
import { type Io, writeLine } from "../io.ts";
import type { GlobalOptions } from "../options.ts";
import { readInput } from "../read-input.ts";
import { openClient } from "../session.ts";
import { painter } from "../style.ts";
import { followJob } from "./follow.ts";
import { outcomeError } from "./outcome.ts";
import { summarizeReceipt } from "./receipts.ts";

export interface SubmitOptions extends GlobalOptions {
  readonly prompt: string;
  readonly model?: string;
  readonly system?: string;
  readonly maxTokens?: number;
  readonly temperature?: number;
  readonly seed?: number;
  readonly priority?: number;
  readonly ttl?: number;
  readonly idempotencyKey?: string;
  readonly detach?: boolean;
}

/** Members whose value is there: JSON has no "undefined". */
function present<T extends object>(members: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  const entries = Object.entries(members).filter(([, value]) => value !== undefined);
  // What is left has exactly the members that have a value.
  return Object.fromEntries(entries) as { [K in keyof T]: Exclude<T[K], undefined> };
}

async function readPrompt(io: Io, prompt: string): Promise<string> {
  const text = prompt === "-" ? await readInput(io, MAX_BODY_BYTES) : prompt;
  if (text !== "") return text;
  throw new AppError("INVALID_ARGUMENT", "the prompt is empty", {
    meta: { hint: 'aitbc client submit --prompt "Hello"' },
  });
}

/** The job that the options describe. */
async function toJob(io: Io, options: SubmitOptions): Promise<JobInput> {
  return present({
    payload: present({
      type: "inference" as const,
      prompt: await readPrompt(io, options.prompt),
      model: options.model,
      system: options.system,
      max_tokens: options.maxTokens,
      temperature: options.temperature,
      seed: options.seed,
    }),
    priority: options.priority,
    ttl_seconds: options.ttl,
  }) as JobInput;
}

/** The receipt's summary; a receipt that cannot be fetched now takes nothing from the answer. */
async function describeReceipt(client: Client, jobId: string): Promise<string> {
  try {
    return summarizeReceipt(await client.getReceipt(jobId));
  } catch {
    return `the receipt is there: aitbc client receipt ${jobId}`;
  }
}

/** Submits a job and, unless it is to run detached, follows it to its end. */
export async function submit(io: Io, options: SubmitOptions): Promise<void> {
  const job = await toJob(io, options);
  const client = await openClient(io, options, "client");
  const paint = painter(io.stderr, io.env);
  const dim = (line: string): void => writeLine(io.stderr, line, (text) => paint("dim", text));
  const key = options.idempotencyKey === undefined ? {} : { idempotencyKey: options.idempotencyKey };
  const view = await client.submitJob(job, key);
  const { job_id } = view;
  const format = options.output ?? "table";
  if (options.detach) return printResult(io, format, view, () => job_id);
  dim(`job ${job_id}`);
  const { text, end, interrupted } = await followJob(io, client, job_id, { streamText: format === "table" });
  if (format !== "table") {
    const { state, error, receipt_id } = end;
    await printResult(io, format, { job_id, state, answer: text, error, receipt_id }, () => text);
  }
  if (end.receipt_id !== null) dim(await describeReceipt(client, job_id));
  const failure = outcomeError(job_id, end.state, end.error);
  if (failure && interrupted) throw new AppError("INTERRUPTED", `job ${job_id} was canceled, as you asked`);
  if (failure) throw failure;
}
