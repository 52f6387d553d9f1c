import Sqlite from "better-sqlite3";
import { BYTES_METER } from "../../src/domain/job/meter.ts";
import type { Terms } from "../../src/domain/job/terms.ts";
import { segmentPrice } from "../../src/domain/pricing/price.ts";
import { leavesReceipt } from "../../src/domain/receipt/build.ts";
import type { Outcome, Receipt } from "../../src/domain/receipt/fields.ts";
import { parseReceipt } from "../../src/domain/receipt/parse.ts";
import { verifyReceipt } from "../../src/domain/receipt/verify.ts";
import { openDatabase } from "../../src/kernel/db/database.ts";
import { type CoordinatorTables, coordinator } from "../../src/roles/coordinator/index.ts";
import type { ChunkTable, JobTable, ReceiptTable, SegmentTable } from "../../src/roles/coordinator/tables.ts";
import { answerOf } from "./answers.ts";
import type { ClientJob } from "./clients.ts";
import type { Findings } from "./findings.ts";

/** Keys that may sign, unpadded base64url. */
export interface SignerKeys {
  readonly coordinatorKeys: readonly string[];
  readonly minerKeys: readonly string[];
}

/** What the database holds, for the summary. */
export interface Totals {
  readonly jobs: number;
  readonly segments: number;
  readonly receipts: number;
  readonly bytes: number;
  /** Jobs whose text more than one lease delivered. */
  readonly continued: number;
}

/** All rows of one job. */
export interface JobRows {
  readonly job: JobTable;
  readonly chunks: readonly ChunkTable[];
  readonly segments: readonly SegmentTable[];
  readonly receipts: readonly ReceiptTable[];
}

/** Holds everything that was acknowledged or seen against the database of the stopped daemon. */
export async function verifyDatabase(
  path: string,
  clientJobs: readonly ClientJob[],
  keys: SignerKeys,
  findings: Findings,
): Promise<Totals> {
  await checkDatabase(path, findings);
  const raw = new Sqlite(path, { readonly: true });
  try {
    const rows = readJobs(raw);
    const acknowledged = new Map(clientJobs.map((job) => [job.jobId, job]));
    for (const { jobId, key } of clientJobs) {
      findings.expect(rows.has(jobId), `job ${jobId} was acknowledged (${key}) and is not in the database`);
    }
    for (const [jobId, jobRows] of rows) {
      const client = acknowledged.get(jobId);
      if (client) checkClient(client, jobRows, findings);
      else findings.add(`job ${jobId} is in the database, but no key led to it: a submission ran twice`);
      checkJobRows(jobRows, keys, findings);
    }
    return totals([...rows.values()]);
  } finally {
    raw.close();
  }
}

/** What must hold for the rows of every job that has ended, whatever happened to it. */
export function checkJobRows(rows: JobRows, keys: SignerKeys, findings: Findings): void {
  checkText(rows, findings);
  checkSegments(rows, findings);
  checkCharges(rows, findings);
  checkReceipts(rows, keys, findings);
}

/** SQLite's own checks, and the coordinator's. */
export async function checkDatabase(path: string, findings: Findings): Promise<void> {
  const raw = new Sqlite(path);
  const integrity = raw.pragma("integrity_check", { simple: true });
  findings.expect(integrity === "ok", `integrity_check: ${String(integrity)}`);
  const broken = raw.pragma("foreign_key_check");
  findings.expect(
    Array.isArray(broken) && broken.length === 0,
    `foreign_key_check: ${JSON.stringify(broken)}`,
  );
  raw.close();
  const onFatal = (error: Error): void => findings.add(`the store failed: ${error.message}`);
  await using database = openDatabase<CoordinatorTables>({ path, onFatal });
  for (const finding of await coordinator.check(database.db)) findings.add(finding);
}

/** The rows of all jobs, by job. */
export function readJobs(raw: Sqlite.Database): Map<string, JobRows> {
  const all = <T>(sql: string): T[] => raw.prepare<[], T>(sql).all();
  const group = <T extends { job_id: string }>(rows: T[]): Map<string, T[]> =>
    Map.groupBy(rows, ({ job_id }) => job_id);
  const chunks = group(all<ChunkTable>("select * from coordinator_chunk order by job_id, seq"));
  const segments = group(all<SegmentTable>("select * from coordinator_segment order by job_id, token"));
  const receipts = group(all<ReceiptTable>("select * from coordinator_receipt order by job_id, token"));
  return new Map(
    all<JobTable>("select * from coordinator_job").map((job) => [
      job.job_id,
      {
        job,
        chunks: chunks.get(job.job_id) ?? [],
        segments: segments.get(job.job_id) ?? [],
        receipts: receipts.get(job.job_id) ?? [],
      },
    ]),
  );
}

/** The output that is stored. */
export const textOf = ({ chunks }: JobRows): string => chunks.map(({ text }) => text).join("");

/** What the client was promised, and what its readers saw. */
function checkClient(client: ClientJob, rows: JobRows, findings: Findings): void {
  const { job } = rows;
  const text = textOf(rows);
  const isEnded = job.state === "COMPLETED" || (job.state === "CANCELED" && client.cancelAsked);
  findings.expect(isEnded, `job ${job.job_id} is ${job.state}: ${job.error}`);
  for (const { text: seen, end } of client.readers) {
    findings.expect(text.startsWith(seen), `job ${job.job_id}: text that a reader saw was taken back`);
    findings.expect(seen === text, `job ${job.job_id}: a reader missed the end of the text`);
    findings.expect(
      end?.state === job.state,
      `job ${job.job_id} is ${job.state}, a reader was told ${end?.state}`,
    );
    const lastReceipt = rows.receipts.at(-1)?.receipt_id ?? null;
    findings.expect(
      end?.receipt_id === lastReceipt,
      `job ${job.job_id}: a reader was told of another receipt`,
    );
  }
  if (!client.plan) return;
  const answer = answerOf(client.plan).toString();
  const isRight = job.state === "COMPLETED" ? text === answer : answer.startsWith(text);
  findings.expect(isRight, `job ${job.job_id}: the stored text is not the answer`);
}

/** Chunks lie end to end, and each inside the segment of its lease. */
function checkText({ job, chunks, segments }: JobRows, findings: Findings): void {
  let end = 0;
  for (const [index, chunk] of chunks.entries()) {
    const at = `job ${job.job_id}, chunk ${chunk.seq}`;
    findings.expect(chunk.seq === index + 1, `${at}: number ${index + 1} is missing`);
    findings.expect(chunk.start_byte === end, `${at}: begins at byte ${chunk.start_byte}, not at ${end}`);
    end += Buffer.byteLength(chunk.text);
    const segment = segments.find(({ token }) => token === chunk.token);
    const isInside = segment && segment.start_byte <= chunk.start_byte && end <= (segment.end_byte ?? -1);
    findings.expect(isInside === true, `${at}: lies outside the segment of its lease`);
  }
  findings.expect(
    end === job.delivered_bytes,
    `job ${job.job_id}: ${end} bytes stored, ${job.delivered_bytes} counted`,
  );
  findings.expect(
    chunks.length === job.last_seq,
    `job ${job.job_id}: ${chunks.length} chunks, last is ${job.last_seq}`,
  );
}

/** One segment a lease, end to end; one receipt for each that delivered, over exactly its range. */
function checkSegments({ job, segments, receipts }: JobRows, findings: Findings): void {
  let end = 0;
  for (const [index, segment] of segments.entries()) {
    const at = `job ${job.job_id}, lease ${segment.token}`;
    findings.expect(segment.token === index + 1, `${at}: a lease without a segment came before`);
    findings.expect(segment.start_byte === end, `${at}: begins at byte ${segment.start_byte}, not at ${end}`);
    if (segment.end_byte === null || segment.outcome === null) {
      findings.add(`${at}: was never ended`);
      continue;
    }
    end = segment.end_byte;
    const own = receipts.filter(({ token }) => token === segment.token);
    // The column holds what the coordinator wrote.
    const outcome = segment.outcome as Outcome;
    const expected = leavesReceipt(segment.end_byte - segment.start_byte, outcome) ? 1 : 0;
    findings.expect(
      own.length === expected,
      `${at} (${outcome}): ${own.length} receipts, ${expected} expected`,
    );
    findings.expect(
      (own[0]?.receipt_id ?? null) === segment.receipt_id,
      `${at}: names another receipt than it has`,
    );
    for (const { start_byte, end_byte } of own) {
      const isSame = start_byte === segment.start_byte && end_byte === segment.end_byte;
      findings.expect(isSame, `${at}: its receipt covers bytes ${start_byte} to ${end_byte}`);
    }
  }
  findings.expect(
    end === job.delivered_bytes,
    `job ${job.job_id}: segments end at ${end}, not ${job.delivered_bytes}`,
  );
  findings.expect(
    segments.length === job.token,
    `job ${job.job_id}: ${segments.length} segments, ${job.token} leases`,
  );
  const strays = receipts.filter(({ token }) => !segments.some((segment) => segment.token === token));
  findings.expect(strays.length === 0, `job ${job.job_id}: ${strays.length} receipts without a segment`);
}

/**
 * The job is charged the sum of its receipts; where units follow from the length alone, that is the price of the
 * text as if it had been delivered at once.
 */
function checkCharges({ job, segments, receipts }: JobRows, findings: Findings): void {
  const units = receipts.reduce((sum, receipt) => sum + receipt.units, 0);
  const price = receipts.reduce((sum, receipt) => sum + BigInt(receipt.price_uait), 0n);
  const isSum = units === job.settled_units && price === BigInt(job.price_uait);
  findings.expect(isSum, `job ${job.job_id}: charged ${job.settled_units} units, its receipts say ${units}`);
  const [first] = segments;
  if (!first) return;
  const { prompt_units, meter } = JSON.parse(first.terms) as Terms;
  if (meter !== BYTES_METER.name) return;
  // The request is charged to the segment that ends the job: one canceled while it waited again has none.
  const last = segments.at(-1);
  // A failed job ended with its last lease, whether that failed or was lost.
  const endedIt = job.state === "FAILED" || last?.outcome === job.state.toLowerCase();
  const endsJob = endedIt && (last?.receipt_id ?? null) !== null;
  const whole = BYTES_METER.units(job.delivered_bytes) + (endsJob ? prompt_units : 0);
  const asOne = segmentPrice(0n, BigInt(whole), BigInt(job.unit_price));
  const isWhole = units === whole && price === asOne;
  findings.expect(
    isWhole,
    `job ${job.job_id}: ${units} units for ${price} µAIT, undivided ${whole} for ${asOne}`,
  );
}

/** Every receipt verifies offline against terms, request, text and the keys of the two sides. */
function checkReceipts(rows: JobRows, keys: SignerKeys, findings: Findings): void {
  const { job, segments, receipts } = rows;
  const output = Buffer.from(textOf(rows));
  for (const receipt of receipts) {
    const at = `receipt ${receipt.receipt_id}`;
    const segment = segments.find(({ token }) => token === receipt.token);
    const parsed = parseReceipt(receipt.document);
    const evidence = {
      ...(segment && { terms: JSON.parse(segment.terms) as Terms }),
      request: JSON.parse(job.payload),
      output,
    };
    const { verdict, lines, receiptHash } = verifyReceipt(parsed, evidence, keys);
    const failed = lines.filter(({ status }) => status === "failed").map(({ detail }) => detail);
    findings.expect(verdict === "verified", `${at}: ${verdict}: ${failed.join("; ")}`);
    // The column holds what the coordinator wrote.
    const { units, price, metadata } = JSON.parse(receipt.document) as Receipt;
    const said = [units, price, metadata.start_byte, metadata.end_byte].map(Number);
    const stored = [receipt.units, receipt.price_uait, receipt.start_byte, receipt.end_byte].map(Number);
    findings.expect(`${said}` === `${stored}`, `${at}: says ${said}, its row ${stored}`);
    findings.expect(receiptHash === receipt.hash, `${at}: stored under another hash than its own`);
    const proven = (check: string): boolean =>
      lines.some((line) => line.check === check && line.status === "proven");
    findings.expect(proven("attestation"), `${at}: is not attested`);
    const isSigned = segment?.outcome !== "completed" || proven("miner_signature");
    findings.expect(isSigned, `${at}: completes the job without the miner's signature`);
  }
}

function totals(rows: readonly JobRows[]): Totals {
  const sum = (count: (rows: JobRows) => number): number =>
    rows.reduce((total, row) => total + count(row), 0);
  return {
    jobs: rows.length,
    segments: sum(({ segments }) => segments.length),
    receipts: sum(({ receipts }) => receipts.length),
    bytes: sum(({ job }) => job.delivered_bytes),
    continued: rows.filter(({ receipts }) => receipts.length > 1).length,
  };
}
