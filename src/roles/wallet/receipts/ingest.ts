import { sha256Hex } from "../../../crypto/hash.ts";
import type { Pins } from "../../../domain/receipt/evidence.ts";
import type { Bus } from "../../../kernel/bus.ts";
import type { Clock } from "../../../kernel/clock.ts";
import { AppError } from "../../../kernel/errors.ts";
import type { BusEvents } from "../../../wire/events.ts";
import type { ReceiptPage, ReceiptSource, SeenJob, Store } from "../ports.ts";
import { checkReceipt } from "./check.ts";
import { closeJob, findJob, type JobKey, type NewReceipt } from "./store.ts";
import { storePage } from "./store-page.ts";

/** Pages of one job that are read in one go; one that goes in circles ends. */
const MAX_PAGES = 200;

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
    await this.#store.operation(closeJob, key);
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
      const event = await this.#store.operation(storePage, key, rows, {
        cursor: cursor ?? null,
        complete,
        now,
      });
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
