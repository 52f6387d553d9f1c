import { canonicalizeSigned } from "../../crypto/canonical-json.ts";
import { sha256Hex } from "../../crypto/hash.ts";
import { answerFormat, neededFeatures } from "../../domain/job/answer.ts";
import { chooseModel, type MatchModel } from "../../domain/job/matching.ts";
import { type Meter, promptUnits } from "../../domain/job/meter.ts";
import type { Meters } from "../../domain/job/meters.ts";
import { PROGRESS_MS, PROGRESS_UNITS, type Terms, termsHash } from "../../domain/job/terms.ts";
import type { JobPayload } from "../../wire/jobs.ts";
import { findSegment, insertSegment, readText } from "./store/delivery.ts";
import type { Db } from "./store/handle.ts";
import { dequeue, markClaimed, setModel } from "./store/jobs.ts";
import type { JobTable, QueueTable } from "./tables.ts";

/** Who claims which job, and everything that the claim may not find out by itself. */
export interface ClaimRequest {
  readonly jobId: string;
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

/**
 * Grants the next lease on a job: it leaves the queue, its token rises, its segment begins with the terms of
 * the offer. Runs inside an operation. Undefined when the job does not wait any more.
 */
export async function claimJob(tx: Db, request: ClaimRequest): Promise<Claimed | undefined> {
  const { jobId: job_id, minerId: miner_id, instance, now } = request;
  const place = await dequeue(tx, job_id);
  if (!place) return undefined;
  const claimed = await markClaimed(tx, { job_id, miner_id, instance, now });
  if (!claimed) return undefined;
  const job = isModelled(claimed) ? claimed : await giveModel(tx, claimed, request.models);
  const prefix = job.delivered_bytes > 0 ? await readText(tx, job_id) : "";
  // The column holds the canonical text of a payload that was checked when the job was submitted.
  const payload: JobPayload = { ...(JSON.parse(job.payload) as JobPayload), model: job.model };
  const meter = await chooseMeter(tx, job, payload, request);
  const terms = toTerms(job, payload, prefix, meter, request);
  await insertSegment(tx, {
    job_id,
    token: job.token,
    miner_id,
    start_byte: job.delivered_bytes,
    started_at: now,
    terms: canonicalizeSigned({ ...terms }),
    decision: request.decide?.(job) ?? null,
  });
  return { job, place, terms, termsHash: termsHash(terms), meter, payload, prefix };
}

/**
 * Claims the job that was found, or, where another claim was faster, the one that comes next now. Operations run
 * one after the other, so what the second search finds is there to be had: of many idle miners that found the
 * same job each gets one in its first operation, while there are enough.
 */
export async function claimNext(
  tx: Db,
  request: ClaimRequest,
  findNext: (tx: Db) => Promise<string | undefined>,
): Promise<Claimed | undefined> {
  for (let jobId: string | undefined = request.jobId; jobId !== undefined; jobId = await findNext(tx)) {
    const claimed = await claimJob(tx, { ...request, jobId });
    if (claimed) return claimed;
  }
  return undefined;
}

/**
 * The meter of the model that runs the job. Text that continues an earlier segment is counted as that one was:
 * units that are settled already are in its meter.
 */
async function chooseMeter(
  tx: Db,
  job: Modelled,
  payload: JobPayload,
  request: ClaimRequest,
): Promise<Meter> {
  const { meters } = request;
  const earlier = job.delivered_bytes > 0 ? await findSegment(tx, job.job_id, job.token - 1) : undefined;
  // The column was written below from terms.
  const name = earlier && (JSON.parse(earlier.terms) as Terms).meter;
  const known = name === undefined ? undefined : meters.find(name);
  return known ?? meters.forModel(request.digestOf(job.model), answerFormat(payload));
}

const isModelled = (job: JobTable): job is Modelled => job.model !== null;

/** Names the model of a job whose client left the choice: the miner's first that can do it. */
async function giveModel(tx: Db, job: JobTable, models: readonly MatchModel[]): Promise<Modelled> {
  // The column holds the text of a payload that was checked when the job was submitted.
  const payload = JSON.parse(job.payload) as JobPayload;
  const need = { features: [...neededFeatures(payload).keys()], context_tokens: contextOf(payload) };
  const model = chooseModel(models, need)?.name ?? "";
  await setModel(tx, { job_id: job.job_id, model });
  return { ...job, model };
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
