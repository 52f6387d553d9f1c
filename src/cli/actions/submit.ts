import type { Client } from "../../client/client.ts";
import { AppError } from "../../kernel/errors.ts";
import { MAX_BODY_BYTES } from "../../wire/limits.ts";
import { printResult } from "../format.ts";
import { type Io, writeLine } from "../io.ts";
import type { GlobalOptions } from "../options.ts";
import { readInput } from "../read-input.ts";
import { openClient } from "../session.ts";
import { painter } from "../style.ts";
import { type PayloadOptions, preparePayload } from "./answer/payload.ts";
import { RecordSink, TextSink, writeChoices } from "./answer/sink.ts";
import { type Followed, followJob } from "./follow.ts";
import { outcomeError } from "./outcome.ts";
import { summarizeReceipt } from "./receipts.ts";

export interface SubmitOptions extends GlobalOptions, PayloadOptions {
  readonly prompt: string;
  readonly priority?: number;
  readonly ttl?: number;
  readonly deadline?: number;
  readonly idempotencyKey?: string;
  readonly detach?: boolean;
  /** Absent: for people yes, for programs no. */
  readonly stream?: boolean;
}

async function readPrompt(io: Io, prompt: string): Promise<string> {
  const text = prompt === "-" ? await readInput(io, MAX_BODY_BYTES) : prompt;
  if (text !== "") return text;
  throw new AppError("INVALID_ARGUMENT", "the prompt is empty", {
    meta: { hint: 'aitbc client submit --prompt "Hello"' },
  });
}

/** The receipt's summary; a receipt that cannot be fetched now takes nothing from the answer. */
async function describeReceipt(client: Client, jobId: string): Promise<string> {
  try {
    return summarizeReceipt(await client.getReceipt(jobId));
  } catch {
    return `the receipt is there: aitbc client receipt ${jobId}`;
  }
}

/** Where the answer goes while it comes; undefined where it is printed at its end. */
function toSink(io: Io, { output = "table", stream = output === "table", n }: SubmitOptions) {
  if (!stream) return undefined;
  return output === "table" ? new TextSink(io, n) : new RecordSink(io, output);
}

/** What programs get of an answer. */
function toRecord(jobId: string, { output, end }: Followed) {
  const { state, error, receipt_id } = end;
  const { choices } = output.answer;
  const more = output.isDeltas ? { choices } : {};
  return { job_id: jobId, state, answer: output.text, error, receipt_id, ...more };
}

async function printAnswer(io: Io, options: SubmitOptions, jobId: string, followed: Followed): Promise<void> {
  const { output = "table", stream, n } = options;
  if (output !== "table") return printResult(io, output, toRecord(jobId, followed), () => "");
  if (stream === false) await writeChoices(new TextSink(io, n), followed.output.answer.choices);
}

/** Submits a job and, unless it is to run detached, follows it to its end. */
export async function submit(io: Io, options: SubmitOptions): Promise<void> {
  const prepared = await preparePayload(io, await readPrompt(io, options.prompt), options);
  const client = await openClient(io, options, "client");
  const paint = painter(io.stderr, io.env);
  const dim = (line: string): void => writeLine(io.stderr, line, (text) => paint("dim", text));
  const { priority, ttl, deadline, idempotencyKey } = options;
  const job = {
    payload: await prepared.finish(client.artifacts),
    ...(priority !== undefined && { priority }),
    ...(ttl !== undefined && { ttl_seconds: ttl }),
    ...(deadline !== undefined && { deadline_seconds: deadline }),
  };
  const view = await client.submitJob(job, idempotencyKey === undefined ? {} : { idempotencyKey });
  const { job_id } = view;
  if (options.detach) return printResult(io, options.output ?? "table", view, () => job_id);
  dim(`job ${job_id}`);
  const sink = toSink(io, options);
  const followed = await followJob(io, client, job_id, sink ? { sink } : {});
  await printAnswer(io, options, job_id, followed);
  const { end, interrupted } = followed;
  if (end.receipt_id !== null) dim(await describeReceipt(client, job_id));
  const failure = outcomeError(job_id, end.state, end.error);
  if (failure && interrupted) throw new AppError("INTERRUPTED", `job ${job_id} was canceled, as you asked`);
  if (failure) throw failure;
}
