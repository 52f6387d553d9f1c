import { canonicalizeSigned } from "../../crypto/canonical-json.ts";
import { sha256Hex } from "../../crypto/hash.ts";
import { BYTES_METER, promptUnits } from "../../domain/job/meter.ts";
import { PROGRESS_MS, PROGRESS_UNITS, type Terms, termsHash } from "../../domain/job/terms.ts";
import type { JobPayload } from "../../wire/jobs.ts";
import { insertSegment, readText } from "./store/delivery.ts";
import type { Db } from "./store/handle.ts";
import { dequeue, markClaimed } from "./store/jobs.ts";
import type { JobTable } from "./tables.ts";

/** Who claims which job, and everything that the claim may not find out by itself. */
export interface ClaimRequest {
  readonly jobId: string;
  readonly minerId: string;
  /** Model to run a job with that names none. */
  readonly anyModel: string;
  readonly instance: string;
  readonly coordinatorId: string;
  readonly maxOutputBytes: number;
  /** Unix ms. */
  readonly now: number;
  /** Random hex that makes the terms unique. */
  readonly nonce: string;
}

/** A granted lease. */
export interface Claimed {
  readonly job: JobTable;
  readonly terms: Terms;
  readonly termsHash: string;
  readonly payload: JobPayload;
  /** Text that earlier segments delivered. */
  readonly prefix: string;
}

/**
 * Grants the next lease on a job: it leaves the queue, its token rises, its segment begins with the terms of
 * the offer. Runs inside an operation. Undefined when the job does not wait any more.
 */
export async function claimJob(tx: Db, request: ClaimRequest): Promise<Claimed | undefined> {
  const { jobId: job_id, minerId: miner_id, instance, now } = request;
  if (!(await dequeue(tx, job_id))) return undefined;
  const job = await markClaimed(tx, { job_id, miner_id, instance, model: request.anyModel, now });
  if (!job) return undefined;
  const prefix = job.delivered_bytes > 0 ? await readText(tx, job_id) : "";
  // The column holds the canonical text of a payload that was checked when the job was submitted.
  const payload = { ...(JSON.parse(job.payload) as JobPayload), model: job.model ?? request.anyModel };
  const terms = toTerms(job, payload, prefix, request);
  await insertSegment(tx, {
    job_id,
    token: job.token,
    miner_id,
    start_byte: job.delivered_bytes,
    started_at: now,
    terms: canonicalizeSigned({ ...terms }),
  });
  return { job, terms, termsHash: termsHash(terms), payload, prefix };
}

function toTerms(job: JobTable, payload: JobPayload, prefix: string, request: ClaimRequest): Terms {
  return {
    v: 1,
    job_id: job.job_id,
    token: job.token,
    client: job.client_id,
    coordinator_id: request.coordinatorId,
    kind: job.kind,
    model: payload.model ?? request.anyModel,
    // `payload` was stored in canonical form.
    request_sha256: sha256Hex(job.payload),
    unit_type: "token_ops",
    meter: BYTES_METER.name,
    prompt_units: promptUnits(BYTES_METER, payload),
    settled_units: job.settled_units,
    start_byte: job.delivered_bytes,
    prefix_sha256: sha256Hex(prefix),
    price_uait_per_million_units: job.unit_price,
    max_output_bytes: request.maxOutputBytes,
    started_at: Math.floor(request.now / 1000),
    deadline_seconds: Math.max(1, Math.ceil((job.max_run_ms - job.run_ms) / 1000)),
    progress_units: PROGRESS_UNITS,
    progress_ms: PROGRESS_MS,
    settlement: "voucher",
    nonce: request.nonce,
  };
}
