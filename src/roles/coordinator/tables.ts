import type { JobState } from "../../domain/job/state.ts";

/** A job: what was submitted, and where it stands. One row a job, for ever. Times are Unix ms. */
export interface JobTable {
  job_id: string;
  client_id: string;
  kind: string;
  model: string | null;
  /** The submission's payload as JSON text. */
  payload: string;
  constraints: string;
  requirement_id: number;
  priority: number;
  state: JobState;
  /** The fence: the last lease that was granted; 0 before the first. */
  token: number;
  attempts: number;
  max_attempts: number;
  max_run_ms: number;
  /** Running time of the leases that have ended. */
  run_ms: number;
  /** The coordinator process that granted the running lease. */
  instance: string | null;
  miner_id: string | null;
  requested_at: number;
  expires_at: number;
  started_at: number | null;
  completed_at: number | null;
  delivered_bytes: number;
  last_seq: number;
  settled_units: number;
  unit_price: number;
  price_uait: bigint;
  finish_reason: string | null;
  /** Token counts of the engine, as JSON text. */
  usage: string | null;
  error: string | null;
}

/** Jobs that wait. A claim deletes the row, so this table stays small and its index hot. */
export interface QueueTable {
  job_id: string;
  requirement_id: number;
  priority: number;
  /** 1: may be claimed; 0: backs off until `wake_at`; 2: waits for other jobs of its client to end. */
  ready: number;
  /** ready=0: when it becomes ready; else when the job expires (null: never). Unix ms. */
  wake_at: number | null;
  /** Start of a hash of the client's id. */
  client_number: number;
  /** Place in its class: the smallest is next (domain/job/fair.ts). */
  order_key: number;
}

/** What a job needs, interned: jobs with the same needs share an id, so that a claim asks the index once a class. */
export interface RequirementTable {
  requirement_id: number;
  /** SHA-256 of the canonical need. */
  digest: string;
  kind: string;
  model: string | null;
  constraints: string;
}

/** Delivered text, in the order of delivery. */
export interface ChunkTable {
  job_id: string;
  seq: number;
  token: number;
  start_byte: number;
  text: string;
}

/** What one lease delivered. */
export interface SegmentTable {
  job_id: string;
  token: number;
  miner_id: string;
  start_byte: number;
  end_byte: number | null;
  started_at: number;
  ended_at: number | null;
  outcome: string | null;
  /** Terms of the offer, as canonical JSON. */
  terms: string;
  /** The miner's last signed progress with its signature, as JSON. */
  progress: string | null;
  receipt_id: string | null;
  /** Why the lease went to this miner, as JSON text. */
  decision: string | null;
}

/** Answers that are JSON of their miner's own making: the job's text is what was taken from it. */
export interface AnswerTable {
  job_id: string;
  /** The lease that completed the job. */
  token: number;
  /** Of the canonical document, as hex. */
  sha256: string;
  /** JSON text. */
  document: string;
}

/** Receipts, one a segment: UNIQUE (job_id, token). */
export interface ReceiptTable {
  receipt_id: string;
  job_id: string;
  token: number;
  hash: string;
  start_byte: number;
  end_byte: number;
  units: number;
  price_uait: bigint;
  document: string;
  issued_at: number;
}

/**
 * Submissions with an Idempotency-Key, kept for 24 h, in the order of their coming. Their answers are made again from
 * the job.
 */
export interface IdempotencyKeyTable {
  seq: number;
  /** Start of the SHA-256 of owner, method, path and key: small whatever the key is. */
  slot: Uint8Array;
  body_sha256: string;
  job_id: string;
  /** As submitted: an administrator can raise that of the job. */
  priority: number;
  created_at: number;
}

/** Where the submission of a slot is. It follows the keys in bulk (idempotency-keys.ts), and has old slots for a while. */
export interface IdempotencySlotTable {
  slot: Uint8Array;
  seq: number;
}

/** One row, of id 1. */
export interface IdempotencyMarkTable {
  id: number;
  /** All keys with a smaller `seq` have their slot. */
  indexed_below: number;
}

/** Miners that have proven their key. */
export interface MinerTable {
  miner_id: string;
  public_key: string;
  /** The API key that admitted it. */
  key_id: string;
  name: string;
  region: string | null;
  payout: string | null;
  registered_at: number;
  /** When its last session opened or closed; an open session knows better. */
  last_seen_at: number;
  /** Since when an administrator keeps it from new jobs; null: it gets them. */
  deactivated_at: number | null;
  /** Since when its owner keeps it from new jobs; null: it gets them. */
  drained_at: number | null;
  /** Leases that ended with a complete answer, without one (failed or lost), and by the client's cancellation. */
  jobs_completed: number;
  jobs_failed: number;
  jobs_canceled: number;
  /** Units and price of all its receipts. */
  units: number;
  earned_uait: bigint;
  /** Running time of all its leases. */
  busy_ms: number;
  last_receipt_id: string | null;
}

/** What ended on one day (UTC): written with each ending, so that totals never need a search. */
export interface DayTable {
  /** Days since 1970-01-01. */
  day: number;
  completed: number;
  failed: number;
  canceled: number;
  expired: number;
  /** Leases that ended, and their running time. */
  leases: number;
  busy_ms: number;
  units: number;
  price_uait: bigint;
}

/** Submissions that a client keeps under a name. */
export interface TemplateTable {
  owner_id: string;
  name: string;
  created_at: number;
  /** The submission as JSON text, with its variables. */
  submission: string;
}

/** Uploaded content that an owner keeps. The same content of several owners is one file. */
export interface ArtifactTable {
  /** SHA-256 of the content, as hex: the file's name. */
  sha256: string;
  owner_id: string;
  size_bytes: number;
  media_type: string;
  created_at: number;
  expires_at: number;
}

/** The artifact that is a job's result. Stays when the artifact has gone, as the job does. */
export interface ArtifactResultTable {
  job_id: string;
  sha256: string;
  size_bytes: number;
  media_type: string;
}

/** Names of models that miners have offered. */
export interface ModelTable {
  name: string;
  first_seen_at: number;
}

export interface CoordinatorTables {
  coordinator_job: JobTable;
  coordinator_queue: QueueTable;
  coordinator_requirement: RequirementTable;
  coordinator_chunk: ChunkTable;
  coordinator_segment: SegmentTable;
  coordinator_receipt: ReceiptTable;
  coordinator_answer: AnswerTable;
  coordinator_idempotency_key: IdempotencyKeyTable;
  coordinator_idempotency_slot: IdempotencySlotTable;
  coordinator_idempotency_mark: IdempotencyMarkTable;
  coordinator_miner: MinerTable;
  coordinator_day: DayTable;
  coordinator_template: TemplateTable;
  coordinator_model: ModelTable;
  coordinator_artifact: ArtifactTable;
  coordinator_artifact_result: ArtifactResultTable;
}
