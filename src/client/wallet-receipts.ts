import { isTerminal } from "../domain/job/state.ts";
import { AppError } from "../kernel/errors.ts";
import { JobPage, listJobs } from "../wire/job-lists.ts";
import { getJob, JobView, listJobReceipts, ReceiptPage } from "../wire/jobs.ts";
import { MAX_PAGE } from "../wire/limits.ts";
import { createTransport, type TransportOptions } from "./transport.ts";

/** A job as far as its receipts go. */
export interface JobSeen {
  readonly jobId: string;
  /** Whether it can get no further receipts. */
  readonly ended: boolean;
}

/** Reads jobs and receipts of one caller page by page, for those who keep them. */
export interface ReceiptReader {
  /** Newest first; `before` goes on after a page. */
  listJobs(
    before: string | undefined,
    signal: AbortSignal,
  ): Promise<{ readonly jobs: readonly JobSeen[]; readonly next: string | undefined }>;
  /** Undefined for a job that is not the caller's. */
  findJob(jobId: string, signal: AbortSignal): Promise<JobSeen | undefined>;
  /** A job's receipts, oldest first; `cursor` goes on after a page. */
  listReceipts(
    jobId: string,
    cursor: string | undefined,
    signal: AbortSignal,
  ): Promise<{
    readonly items: readonly Readonly<Record<string, unknown>>[];
    readonly nextCursor: string | undefined;
  }>;
}

const toSeen = ({ job_id, state }: JobView): JobSeen => ({ jobId: job_id, ended: isTerminal(state) });

/** Creates a reader. Calls that fail for a moment are repeated; the others throw AppError. */
export function createReceiptReader(options: TransportOptions): ReceiptReader {
  const { call } = createTransport(options);
  return {
    async listJobs(before, signal) {
      const query = { limit: MAX_PAGE, cursor: before };
      const { items, next_cursor } = await call(listJobs, JobPage, { query, signal });
      return { jobs: items.map(toSeen), next: next_cursor ?? undefined };
    },
    async findJob(jobId, signal) {
      try {
        return toSeen(await call(getJob, JobView, { params: { job_id: jobId }, signal }));
      } catch (error) {
        if (error instanceof AppError && error.code === "JOB_NOT_FOUND") return undefined;
        // What is too long to be an id is refused before it is looked up.
        if (error instanceof AppError && error.code === "INVALID_PAYLOAD") return undefined;
        throw error;
      }
    },
    async listReceipts(jobId, cursor, signal) {
      const params = { job_id: jobId };
      const query = { limit: MAX_PAGE, cursor };
      const page = await call(listJobReceipts, ReceiptPage, { params, query, signal });
      return { items: page.items, nextCursor: page.next_cursor ?? undefined };
    },
  };
}
