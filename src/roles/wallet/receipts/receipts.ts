import { AppError } from "../../../kernel/errors.ts";
import type { Log } from "../../../kernel/log.ts";
import type { ReceiptHistory, ReceiptStatus, ReceiptVerification } from "../../../wire/wallet/receipts.ts";
import type { ReceiptSource, Store } from "../ports.ts";
import type { ReceiptIngest } from "./ingest.ts";
import { findJobs, findLatestReceipt, listJobs, listReceipts } from "./store.ts";
import { toStatus, toVerification } from "./views.ts";

/** Longest time that a question waits for the coordinators, in ms; what was read before is told then. */
const REFRESH_MS = 5_000;

/** What existing clients expect to read. */
const NOT_FOUND = "receipt not found";

/** A page of a list; `cursor` as an earlier page told it. */
export interface Page {
  readonly cursor: string | undefined;
  readonly limit: number;
}

/** Answers about receipts and what they were found to be worth. */
export class Receipts {
  readonly #store: Store;
  readonly #sources: readonly ReceiptSource[];
  readonly #ingest: ReceiptIngest;
  readonly #log: Log;
  readonly #stopping: AbortSignal;

  constructor(deps: {
    store: Store;
    sources: readonly ReceiptSource[];
    ingest: ReceiptIngest;
    log: Log;
    stopping: AbortSignal;
  }) {
    this.#store = deps.store;
    this.#sources = deps.sources;
    this.#ingest = deps.ingest;
    this.#log = deps.log;
    this.#stopping = deps.stopping;
  }

  /** @throws AppError RECEIPT_NOT_FOUND */
  async latest(jobId: string): Promise<{ result: ReceiptVerification; status: ReceiptStatus }> {
    const unreached = await this.#refresh(jobId);
    const row = await findLatestReceipt(this.#store.db, jobId);
    if (!row) throw notFound(unreached);
    return { result: toVerification(row), status: await this.#status(jobId) };
  }

  /** @throws AppError RECEIPT_NOT_FOUND */
  async history(jobId: string, { cursor, limit }: Page): Promise<ReceiptHistory> {
    const unreached = await this.#refresh(jobId);
    const latest = await findLatestReceipt(this.#store.db, jobId);
    if (!latest) throw notFound(unreached);
    const rows = await listReceipts(this.#store.db, jobId, Number(cursor ?? 0), limit + 1);
    const page = rows.slice(0, limit);
    return {
      result: toVerification(latest),
      items: page.map(toVerification),
      next_cursor: rows.length > limit ? String(page.at(-1)?.seq) : null,
      status: await this.#status(jobId),
    };
  }

  /** @throws AppError RECEIPT_NOT_FOUND */
  async status(jobId: string): Promise<ReceiptStatus> {
    const unreached = await this.#refresh(jobId);
    const status = await this.#status(jobId);
    if (status.receipts === 0) throw notFound(unreached);
    return status;
  }

  /** Each job with receipts, those seen last first. */
  async list(
    { cursor, limit }: Page,
    failed: boolean,
  ): Promise<{ items: ReceiptStatus[]; next_cursor: string | null }> {
    const before = cursor === undefined ? undefined : Number(cursor);
    const rows = await listJobs(this.#store.db, { before, limit: limit + 1, failed });
    const page = rows.slice(0, limit);
    return {
      items: page.map((row) => toStatus(row.job_id, [row])),
      next_cursor: rows.length > limit ? String(page.at(-1)?.seq) : null,
    };
  }

  async #status(jobId: string): Promise<ReceiptStatus> {
    return toStatus(jobId, await findJobs(this.#store.db, jobId));
  }

  /**
   * Reads what the coordinators have of a job: those that are known to have it, else all. Returns the names of those
   * that could not be asked.
   */
  async #refresh(jobId: string): Promise<string[]> {
    const known = await findJobs(this.#store.db, jobId);
    if (known.length > 0 && known.every(({ complete }) => complete === 1)) return [];
    const names = new Set(known.map(({ source }) => source));
    const asked = this.#sources.filter(({ name }) => names.size === 0 || names.has(name));
    const signal = AbortSignal.any([AbortSignal.timeout(REFRESH_MS), this.#stopping]);
    const unreached = await Promise.all(
      asked.map(async (source) => {
        try {
          const job = await source.findJob(jobId, signal);
          if (job) await this.#ingest.pull(source, job, signal);
          return [];
        } catch (error) {
          this.#log.debug({ coordinator: source.name, err: error }, "receipts of a job cannot be read");
          return [source.name];
        }
      }),
    );
    return unreached.flat();
  }
}

function notFound(unreached: readonly string[]): AppError {
  const detail =
    unreached.length === 0 ? NOT_FOUND : `${NOT_FOUND}; ${unreached.join(", ")} could not be asked`;
  return new AppError("RECEIPT_NOT_FOUND", detail);
}
