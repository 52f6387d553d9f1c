import { sha256Hex } from "../../../crypto/hash.ts";
import type { Pins } from "../../../domain/receipt/evidence.ts";
import type { Bus } from "../../../kernel/bus.ts";
import type { Clock } from "../../../kernel/clock.ts";
import { AppError } from "../../../kernel/errors.ts";
import type { BusEvents } from "../../../wire/events.ts";
import type { ReceiptPage, ReceiptSource, SeenJob, Store } from "../ports.ts";
import { type Db, insertEvent } from "../store.ts";
import { checkReceipt, type ReceiptCheck } from "./check.ts";
import {
  closeJob,
  countReceipts,
  findJob,
  insertReceipt,
  type JobKey,
  listInvalid,
  type NewReceipt,
  noteJobs,
  updateJob,
} from "./store.ts";

/** Receipts of one job that are kept: a job has one a segment, and no coordinator may fill the disk. */
const MAX_RECEIPTS = 1_000;
/** Reasons that a job's status lists: enough to see what is wrong. */
const MAX_REASONS = 20;
/** Pages of one job that are read in one go; one that goes in circles ends. */
const MAX_PAGES = 200;

type Verified = BusEvents["receipts.verified"];

/** Reads receipts of single jobs from coordinators, checks them, and keeps both. */
export class ReceiptIngest {
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #bus: Bus<BusEvents>;
  readonly #minerKeys: readonly string[];
  readonly #onChecked: (isValid: boolean) => void;
  /** Jobs that are being read: whoever asks meanwhile waits for the same reading. */
  readonly #running = new Map<string, Promise<void>>();

  constructor(deps: {
    store: Store;
    clock: Clock;
    bus: Bus<BusEvents>;
    minerKeys: readonly string[];
    onChecked: (isValid: boolean) => void;
  }) {
    this.#store = deps.store;
    this.#clock = deps.clock;
    this.#bus = deps.bus;
    this.#minerKeys = deps.minerKeys;
    this.#onChecked = deps.onChecked;
  }

  /**
   * Reads the receipts of a job that are not here yet, from where the last reading ended. What was read of it stays
   * when it breaks off.
   * @throws AppError what the source throws
   */
  pull(source: ReceiptSource, job: SeenJob, signal: AbortSignal): Promise<void> {
    const name = JSON.stringify([source.name, job.jobId]);
    const running = this.#running.get(name);
    if (running) return running;
    const work = this.#pull(source, job, signal).finally(() => this.#running.delete(name));
    this.#running.set(name, work);
    return work;
  }

  /** Nothing more is expected of a job. What was read of it stays. */
  async close(key: JobKey): Promise<void> {
    await this.#store.operation((tx) => closeJob(tx, key));
  }

  async #pull(source: ReceiptSource, { jobId, ended }: SeenJob, signal: AbortSignal): Promise<void> {
    const key: JobKey = { source: source.name, job_id: jobId };
    const pins: Pins = { coordinatorKeys: await source.listKeys(), minerKeys: this.#minerKeys };
    let cursor = (await findJob(this.#store.db, key))?.cursor ?? undefined;
    for (let pages = 0; pages < MAX_PAGES; pages++) {
      const page = await source.listReceipts(jobId, cursor, signal);
      const isLast = page.nextCursor === undefined;
      // The last page is read again next time: it may have grown.
      cursor = page.nextCursor ?? cursor;
      const complete = isLast && ended;
      if (page.items.length === 0 && isLast && !complete) return;
      const now = this.#clock.now();
      const rows = toRows(key, page, pins, now);
      const event = await this.#store.operation((tx) =>
        storePage(tx, key, rows, { cursor: cursor ?? null, complete, now }),
      );
      if (event) {
        for (const { all_valid } of rows) this.#onChecked(all_valid === 1);
        this.#bus.emit("receipts.verified", event);
      }
      if (isLast) return;
    }
    throw new AppError("PROTOCOL_VIOLATION", `${source.name} lists receipts of a job without end`);
  }
}

function toRows(key: JobKey, page: ReceiptPage, pins: Pins, now: number): NewReceipt[] {
  return page.items.map((receipt) => {
    const document = JSON.stringify(receipt);
    const checked = checkReceipt(key.job_id, document, pins);
    return {
      ...key,
      receipt_id: checked.receipt_id,
      document,
      document_sha256: sha256Hex(document),
      receipt_hash: checked.receipt_hash,
      all_valid: checked.all_valid ? 1 : 0,
      checks: JSON.stringify(checked),
      received_at: now,
    };
  });
}

/** Stores a page and what is known of the job with it. Returns the event where there is something new. */
async function storePage(
  tx: Db,
  key: JobKey,
  rows: readonly NewReceipt[],
  { cursor, complete, now }: { cursor: string | null; complete: boolean; now: number },
): Promise<Verified | undefined> {
  await noteJobs(tx, [key], now);
  const before = await countReceipts(tx, key);
  let added = 0;
  for (const row of rows) {
    if (before.receipts + added >= MAX_RECEIPTS) break;
    if (await insertReceipt(tx, row)) added++;
  }
  const { receipts, verified } = added > 0 ? await countReceipts(tx, key) : before;
  const reasons = await listReasons(tx, key);
  const failure_reasons = JSON.stringify(reasons);
  const change = { cursor, complete: complete ? 1 : 0, receipts, verified, failure_reasons } as const;
  await updateJob(tx, key, { ...change, updated_at: now });
  if (added === 0) return undefined;
  const event: Verified = {
    job_id: key.job_id,
    receipts,
    all_verified: receipts === verified,
    failure_reasons: reasons,
  };
  await insertEvent(tx, { at: now, event: "receipts.verified", data: JSON.stringify(event) });
  return event;
}

/** `receipt_id: check: what is wrong`, of the first receipts that are not valid. */
async function listReasons(tx: Db, key: JobKey): Promise<string[]> {
  const invalid = await listInvalid(tx, key, MAX_REASONS);
  const reasons = invalid.flatMap(({ receipt_id, checks }) =>
    // Written by `toRows`.
    (JSON.parse(checks) as ReceiptCheck).failure_reasons.map((reason) => `${receipt_id}: ${reason}`),
  );
  return reasons.slice(0, MAX_REASONS);
}
