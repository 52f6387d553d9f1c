import type { Generated } from "kysely";

/** Times are Unix ms. Nothing here is secret: keys are in keystore files, and nowhere in the database. */

/** Calls of a password route that still count against its limit. */
export interface PasswordCallsTable {
  /** Route and wallet. */
  slot: string;
  /** Times of the latest calls, oldest first, as JSON text. */
  calls: string;
  updated_at: number;
}

/** Wrong passwords of a wallet since the last right one. */
export interface BackoffTable {
  wallet_id: string;
  failures: number;
  /** No password is tried before this time. */
  blocked_until: number;
}

/** One use of keys or passwords, or one that was refused. Rows are never changed and never deleted. */
export interface AccessTable {
  seq: Generated<number>;
  at: number;
  operation: string;
  wallet_id: string | null;
  session_id: string | null;
  via: "rest" | "rpc" | "daemon";
  /** `ok`, or the code of the error. */
  outcome: string;
  request_id: string;
}

/** One event as it was told on the bus. Rows are never changed and never deleted. */
export interface EventTable {
  seq: Generated<number>;
  at: number;
  event: string;
  /** JSON text. */
  data: string;
}

/** A coordinator that receipts are read from. */
export interface SourceTable {
  source: string;
  /** Newest job that was noted in `wallet_job`; jobs below it were, too. */
  newest_job: string;
}

/** A job whose receipts are read, and what is known of them all. */
export interface JobTable {
  seq: Generated<number>;
  source: string;
  job_id: string;
  /** Where the next page of its receipts begins; null: at the first. */
  cursor: string | null;
  /** 1 when the job had ended before its last receipts were read. */
  complete: 0 | 1;
  receipts: number;
  verified: number;
  /** Reasons as JSON text, up to a bound. */
  failure_reasons: string;
  updated_at: number;
}

/** A receipt as the coordinator gave it, and what each of its signatures was found to be worth. */
export interface ReceiptTable {
  seq: Generated<number>;
  source: string;
  job_id: string;
  receipt_id: string;
  /** JSON text of the receipt; SHA-256 of it, as hex, keeps each from being stored twice. */
  document: string;
  document_sha256: string;
  /** SHA-256 of the canonical bytes, as hex; null where they could not be made. */
  receipt_hash: string | null;
  all_valid: 0 | 1;
  /** Checks of the signatures as JSON text. */
  checks: string;
  received_at: number;
}

/** The wallet's tables in the one database. */
export interface WalletTables {
  wallet_password_calls: PasswordCallsTable;
  wallet_backoff: BackoffTable;
  wallet_access: AccessTable;
  wallet_event: EventTable;
  wallet_source: SourceTable;
  wallet_job: JobTable;
  wallet_receipt: ReceiptTable;
}
