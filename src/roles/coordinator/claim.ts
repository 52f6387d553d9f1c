import { canonicalizeSigned } from "../../crypto/canonical-json.ts";
import { sha256Hex } from "../../crypto/hash.ts";
import { answerFormat, neededFeatures } from "../../domain/job/answer.ts";
import { chooseModel, type MatchModel } from "../../domain/job/matching.ts";
import { type Meter, promptUnits } from "../../domain/job/meter.ts";
import type { Meters } from "../../domain/job/meters.ts";
import { PROGRESS_MS, PROGRESS_UNITS, type Terms, termsHash } from "../../domain/job/terms.ts";
import type { JobPayload } from "../../wire/jobs.ts";
import type { Store } from "./ports.ts";
import { grantLease, type LeaseGrant } from "./store/claims.ts";
import { findSegment, readText } from "./store/delivery.ts";
import type { Db } from "./store/handle.ts";
import { findJob } from "./store/jobs.ts";
import type { JobTable, QueueTable } from "./tables.ts";

/** Who claims a job, and everything that the claim may not find out by itself. */
export interface ClaimRequest {
  readonly minerId: string;
  /** Models to run a job with that names none. */
  readonly models: readonly MatchModel[];
  /** Digest of a model as the miner registered it; empty for one that it does not name. */
  readonly digestOf: (model: string) => string;
  readonly meters: Meters;
  readonly instance: string;
  readonly coordinatorId: string;
  readonly maxOutputBytes: number;
  /** Unix ms. */
  readonly now: number;
  /** Random hex that makes the terms unique. */
  readonly nonce: string;
  /** Writes down why the job goes to this miner, as JSON text. */
  readonly decide?: (job: JobTable) => string;
}

/** A job whose model is known. */
type Modelled = JobTable & { readonly model: string };

/** A granted lease. */
export interface Claimed {
  readonly job: JobTable;
  /** Where the job stood in the queue. */
  readonly place: QueueTable;
  readonly terms: Terms;
  readonly termsHash: string;
  readonly meter: Meter;
  readonly payload: JobPayload;
  /** Text that earlier segments delivered. */
  readonly prefix: string;
}

/** A lease that is worked out and not granted yet. */
export interface PreparedLease extends Omit<Claimed, "place"> {
  readonly grant: LeaseGrant;
}

/** What earlier segments of a job delivered, and the meter that counted it. */
interface Delivered {
  readonly prefix: string;
  readonly meter: string | undefined;
}

const NOTHING: Delivered = { prefix: "", meter: undefined };

/**
 * Claims a job that was found: the lease is worked out from what the job's rows say now, and granted where they
 * say so still. Undefined when the job does not wait any more.
 */
export async function claimJob(
  store: Store,
  jobId: string,
  request: ClaimRequest,
): Promise<Claimed | undefined> {
  const job = await findJob(store.db, jobId);
  if (job?.state !== "QUEUED") return undefined;
  const delivered = job.delivered_bytes > 0 ? await readDelivered(store.db, job) : NOTHING;
  const { grant, ...lease } = prepareLease(job, request, delivered);
  const granted = await store.operation(grantLease, grant);
  if (!granted) return undefined;
  const { place, priority } = granted;
  return { ...lease, job: { ...lease.job, priority }, place };
}

/** Works out the next lease of a job that waits, or of one that is about to be stored. */
export function prepareLease(
  waiting: JobTable,
  request: ClaimRequest,
  { prefix, meter: name }: Delivered = NOTHING,
): PreparedLease {
  const { minerId: miner_id, instance, now, meters } = request;
  const { job_id } = waiting;
  // The column holds the canonical text of a payload that was checked when the job was submitted.
  const asked = JSON.parse(waiting.payload) as JobPayload;
  const model = waiting.model ?? chooseModelFor(asked, request.models);
  const token = waiting.token + 1;
  const claimed = { state: "RUNNING", token, attempts: waiting.attempts + 1 } as const;
  const job: Modelled = { ...waiting, ...claimed, model, miner_id, instance, started_at: now };
  const payload: JobPayload = { ...asked, model };
  // Text that continues an earlier segment is counted as that one was: units that are settled already are in its meter.
  const earlier = name === undefined ? undefined : meters.find(name);
  const meter = earlier ?? meters.forModel(request.digestOf(model), answerFormat(payload));
  const terms = toTerms(job, payload, prefix, meter, request);
  const segment = {
    start_byte: job.delivered_bytes,
    terms: canonicalizeSigned({ ...terms }),
    decision: request.decide?.(job) ?? null,
  };
  const named = waiting.model === null ? model : null;
  const grant = { job_id, token, miner_id, instance, now, model: named, segment };
  return { job, terms, termsHash: termsHash(terms), meter, payload, prefix, grant };
}

async function readDelivered(db: Db, { job_id, token }: JobTable): Promise<Delivered> {
  const segment = await findSegment(db, job_id, token);
  // The column was written from terms.
  const meter = segment && (JSON.parse(segment.terms) as Terms).meter;
  return { prefix: await readText(db, job_id), meter };
}

/** The model of a job whose client left the choice: the miner's first that can do it. */
function chooseModelFor(payload: JobPayload, models: readonly MatchModel[]): string {
  const need = { features: [...neededFeatures(payload).keys()], context_tokens: contextOf(payload) };
  return chooseModel(models, need)?.name ?? "";
}

const contextOf = (payload: JobPayload): number | undefined =>
  payload.type === "inference" ? payload.context_tokens : undefined;

function toTerms(
  job: Modelled,
  payload: JobPayload,
  prefix: string,
  meter: Meter,
  request: ClaimRequest,
): Terms {
  return {
    v: 1,
    job_id: job.job_id,
    token: job.token,
    client: job.client_id,
    coordinator_id: request.coordinatorId,
    kind: job.kind,
    model: job.model,
    // `payload` was stored in canonical form.
    request_sha256: sha256Hex(job.payload),
    unit_type: "token_ops",
    meter: meter.name,
    prompt_units: promptUnits(meter, payload),
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
