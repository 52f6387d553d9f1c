import type { BatchEndpoint, BatchStatus } from "../../wire/openai/batches.ts";
import type { FilePurpose } from "../../wire/openai/files.ts";

/** A file: a name for content that the coordinator keeps. Times are Unix ms. */
export interface FileTable {
  /** `file-` and an id. */
  file_id: string;
  owner_id: string;
  /** SHA-256 of the content, as hex. */
  sha256: string;
  size_bytes: number;
  filename: string;
  purpose: FilePurpose;
  created_at: number;
  expires_at: number;
}

/** A batch, for ever. */
export interface BatchTable {
  /** `batch_` and an id. */
  batch_id: string;
  owner_id: string;
  /** The API key that made it. */
  key_id: string;
  idempotency_key: string | null;
  /** SHA-256 of the body that made it, as hex. */
  body_sha256: string;
  endpoint: BatchEndpoint;
  input_file_id: string;
  input_sha256: string;
  /** Metadata as JSON text. */
  metadata: string | null;
  /** The one model that its lines name; null before they are read. */
  model: string | null;
  status: BatchStatus;
  /** What it becomes when its files are written; null before that is known. */
  outcome: "completed" | "expired" | "cancelled" | null;
  total: number;
  completed: number;
  failed: number;
  output_file_id: string | null;
  error_file_id: string | null;
  /** Errors as JSON text. */
  errors: string | null;
  created_at: number;
  expires_at: number;
  in_progress_at: number | null;
  finalizing_at: number | null;
  completed_at: number | null;
  failed_at: number | null;
  expired_at: number | null;
  cancelling_at: number | null;
  cancelled_at: number | null;
}

/**
 * `queued`: it is a job now. `completed`, `failed`: how that ended, or why it never became one. `stopped`: the batch
 * was canceled, or its time was over.
 */
export type LineState = "pending" | "queued" | "completed" | "failed" | "stopped";

/** A line of a batch's input, until the batch has ended. */
export interface BatchLineTable {
  batch_id: string;
  /** From 1 on. */
  line: number;
  custom_id: string;
  /** Where it lies in the input file. */
  start_byte: number;
  end_byte: number;
  state: LineState;
  job_id: string | null;
  /** Why it never became a job, as a line of the error file has it: JSON text. */
  failure: string | null;
}

export interface GatewayTables {
  gateway_file: FileTable;
  gateway_batch: BatchTable;
  gateway_batch_line: BatchLineTable;
}
