import type { BusEvents } from "../../../wire/events.ts";
import { type Db, insertEvent } from "../store.ts";
import type { ReceiptCheck } from "./check.ts";
import {
  countReceipts,
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

type Verified = BusEvents["receipts.verified"];

/** Stores a page and what is known of the job with it. Returns the event where there is something new. */
export async function storePage(
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
    // Written by `ReceiptIngest`.
    (JSON.parse(checks) as ReceiptCheck).failure_reasons.map((reason) => `${receipt_id}: ${reason}`),
  );
  return reasons.slice(0, MAX_REASONS);
}
