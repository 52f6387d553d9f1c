import Sqlite from "better-sqlite3";
import { createAppMeters } from "../../src/app/meters.ts";
import { type AnswerFormat, answerFormat, readDeltas } from "../../src/domain/job/answer.ts";
import { segmentUnits } from "../../src/domain/job/meter.ts";
import type { Terms } from "../../src/domain/job/terms.ts";
import type { JobPayload } from "../../src/wire/jobs.ts";
import { answerOf } from "../torture/answers.ts";
import type { Findings } from "../torture/findings.ts";
import {
  checkDatabase,
  checkJobRows,
  type JobRows,
  readJobs,
  type SignerKeys,
  textOf,
} from "../torture/verify.ts";
import type { StreamJob } from "./stream-readers.ts";

const METERS = createAppMeters();

/** What the database held, for the summary. */
export interface StreamTotals {
  readonly completed: number;
  readonly failed: number;
  readonly canceled: number;
  readonly receipts: number;
  /** Jobs whose text more than one miner delivered. */
  readonly continued: number;
  readonly bytes: number;
}

/** Holds what every client was told against the database of the stopped daemon. */
export async function checkStreams(
  path: string,
  jobs: readonly StreamJob[],
  keys: SignerKeys,
  findings: Findings,
): Promise<StreamTotals> {
  await checkDatabase(path, findings);
  const raw = new Sqlite(path, { readonly: true });
  try {
    const rows = readJobs(raw);
    findings.expect(rows.size === jobs.length, `${jobs.length} jobs were submitted, ${rows.size} are stored`);
    for (const job of jobs) {
      const stored = rows.get(job.jobId);
      if (stored) checkStream(job, stored, findings);
      else findings.add(`job ${job.jobId} of ${job.key} is not in the database`);
    }
    for (const stored of rows.values()) {
      checkJobRows(stored, keys, findings);
      checkUnits(stored, findings);
    }
    return totals([...rows.values()]);
  } finally {
    raw.close();
  }
}

/** The delivered stream is the stored result, byte for byte, and its end is the stored one. */
function checkStream(client: StreamJob, rows: JobRows, findings: Findings): void {
  const { job } = rows;
  const at = `${client.kind} job ${job.job_id}`;
  const text = textOf(rows);
  findings.expect(
    JSON.stringify(deliverable(client, rows)) === JSON.stringify(withoutEmptyEnd(client.seen)),
    `${at}: what was delivered is not what is stored`,
  );
  const isPlanned = !client.plan || answerOf(client.plan).toString().startsWith(text);
  findings.expect(isPlanned, `${at}: the stored text is not the answer`);
  const isWhole = !client.plan || answerOf(client.plan).length === job.delivered_bytes;
  findings.expect(job.state !== "COMPLETED" || isWhole, `${at}: completed without its whole answer`);
  const error = client.end?.error;
  const isTold = (error === undefined) === (job.state === "COMPLETED");
  findings.expect(isTold, `${at} is ${job.state}, its client was told ${error ?? "that it is complete"}`);
  const isAsked = job.state !== "CANCELED" || client.cancelAsked;
  findings.expect(isAsked, `${at} was canceled by nobody`);
  const mayFail = client.deltas || client.kind !== "native";
  const isFine = job.state === "COMPLETED" || job.state === "CANCELED" || (job.state === "FAILED" && mayFail);
  findings.expect(isFine, `${at} is ${job.state}: ${job.error}`);
  const receiptId = rows.receipts.at(-1)?.receipt_id ?? null;
  const isSame = error !== undefined || client.end?.receiptId === receiptId;
  findings.expect(isSame, `${at}: its client was told of another receipt`);
}

/** The texts that a client of this API is shown of the stored output. */
function deliverable({ kind }: StreamJob, rows: JobRows): string[] {
  const text = textOf(rows);
  const format: AnswerFormat = answerFormat(JSON.parse(rows.job.payload) as JobPayload);
  if (kind === "native" || format === "text") return withoutEmptyEnd([text]);
  return withoutEmptyEnd(readDeltas(text).choices.map((choice) => choice.text));
}

function withoutEmptyEnd(texts: readonly (string | undefined)[]): string[] {
  const all = texts.map((text) => text ?? "");
  while (all.at(-1) === "") all.pop();
  return all;
}

/** Receipts count every delivered unit once: each its own segment's, by the meter that its terms name. */
function checkUnits({ job, segments, receipts, ...rows }: JobRows, findings: Findings): void {
  const output = Buffer.from(textOf({ job, segments, receipts, ...rows }));
  let end = 0;
  for (const receipt of receipts) {
    const at = `receipt ${receipt.receipt_id}`;
    findings.expect(receipt.start_byte === end, `${at}: begins at byte ${receipt.start_byte}, not at ${end}`);
    end = receipt.end_byte;
    const segment = segments.find(({ token }) => token === receipt.token);
    // The column holds what the coordinator wrote.
    const terms = JSON.parse(segment?.terms ?? "{}") as Terms;
    const meter = METERS.find(terms.meter);
    if (!meter) {
      findings.add(`${at}: counted by ${terms.meter}, which is not known`);
      continue;
    }
    const prefix = output.toString("utf8", 0, receipt.start_byte);
    const own = segmentUnits(meter, prefix, output.toString("utf8", receipt.start_byte, receipt.end_byte));
    const extra = receipt.units - own;
    const isPrompt = extra === 0 || (extra === terms.prompt_units && receipt === receipts.at(-1));
    findings.expect(isPrompt, `${at}: ${receipt.units} units, its text has ${own}`);
  }
  findings.expect(
    end === job.delivered_bytes,
    `job ${job.job_id}: receipts end at ${end} of ${job.delivered_bytes}`,
  );
}

function totals(rows: readonly JobRows[]): StreamTotals {
  const count = (state: string): number => rows.filter(({ job }) => job.state === state).length;
  return {
    completed: count("COMPLETED"),
    failed: count("FAILED"),
    canceled: count("CANCELED"),
    receipts: rows.reduce((sum, { receipts }) => sum + receipts.length, 0),
    continued: rows.filter(({ receipts }) => receipts.length > 1).length,
    bytes: rows.reduce((sum, { job }) => sum + job.delivered_bytes, 0),
  };
}
