import { formatTime } from "../../../wire/scalars.ts";
import type { ReceiptStatus, ReceiptVerification } from "../../../wire/wallet/receipts.ts";
import type { ReceiptCheck } from "./check.ts";
import type { JobRow, ReceiptRow } from "./store.ts";

export function toVerification(row: ReceiptRow): ReceiptVerification {
  // Written when the receipt was read.
  const checked = JSON.parse(row.checks) as ReceiptCheck;
  return {
    job_id: row.job_id,
    receipt_id: row.receipt_id,
    miner_signature: checked.miner_signature,
    coordinator_attestations: [...checked.coordinator_attestations],
    all_valid: row.all_valid === 1,
    failure_reasons: [...checked.failure_reasons],
    receipt_hash: row.receipt_hash,
    coordinator: row.source,
    received_at: formatTime(row.received_at),
  };
}

/** What is known of a job: all coordinators that have receipts of it taken together. */
export function toStatus(jobId: string, rows: readonly JobRow[]): ReceiptStatus {
  const sum = (read: (row: JobRow) => number): number => rows.reduce((total, row) => total + read(row), 0);
  const receipts = sum((row) => row.receipts);
  const verified = sum((row) => row.verified);
  return {
    job_id: jobId,
    receipts,
    verified,
    complete: rows.length > 0 && rows.every(({ complete }) => complete === 1),
    all_verified: receipts > 0 && verified === receipts,
    failure_reasons: rows.flatMap((row) => JSON.parse(row.failure_reasons) as string[]),
    updated_at: formatTime(Math.max(0, ...rows.map((row) => row.updated_at))),
  };
}
