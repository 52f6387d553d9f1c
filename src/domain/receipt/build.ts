/** Builds receipts from terms. Miner and coordinator use the same function, so they sign the same bytes. */
import { AppError } from "../../kernel/errors.ts";
import { type Terms, termsHash } from "../job/terms.ts";
import { segmentPrice } from "../pricing/price.ts";
import type { Outcome, Receipt, ReceiptProgress } from "./fields.ts";

/** How a segment ended. */
export interface SegmentOutcome {
  /** Address of the miner's identity key, or an opaque id for a miner without one. Never an API key. */
  readonly provider: string;
  /** Whether the job ends with this segment. A completed segment always ends it. */
  readonly endsJob: boolean;
  readonly outcome: Outcome;
  /** Where the segment ends in the job's whole output, in bytes. */
  readonly end_byte: number;
  /** Units of the segment's text, by the meter of the terms. */
  readonly delivered_units: number;
  /** SHA-256 (hex) of the segment's bytes. */
  readonly segment_sha256: string;
  /** SHA-256 (hex) of the output from byte 0 to `end_byte`. */
  readonly output_sha256: string;
  /** Unix seconds. */
  readonly completed_at: number;
  readonly duration_ms: number;
  /** The miner's last signed progress, for a receipt that the miner does not sign. */
  readonly progress?: ReceiptProgress | undefined;
  /** Where the miner is paid, if not at its own address. */
  readonly payout?: string | undefined;
}

/** What a segment is charged. */
export interface SegmentCharge {
  /** Units of the request within `units`. */
  readonly promptUnits: number;
  readonly units: number;
  /** µAIT. */
  readonly price: bigint;
}

/** Whether a segment leaves a receipt: one of zero bytes only where it completes the job. */
export function leavesReceipt(deliveredBytes: number, outcome: Outcome): boolean {
  return deliveredBytes > 0 || outcome === "completed";
}

/**
 * Charge of a segment whose text has so many units by the meter of the terms. The request is charged to the
 * segment that ends the job, if the job delivered at least one unit; earlier segments' output is priced already,
 * so the price is a difference of totals. Throws INVALID_ARGUMENT for units that are no count.
 */
export function chargeSegment(terms: Terms, deliveredUnits: number, endsJob: boolean): SegmentCharge {
  if (!Number.isSafeInteger(deliveredUnits) || deliveredUnits < 0) {
    throw new AppError("INVALID_ARGUMENT", `units: must be a whole number ≥ 0, is ${deliveredUnits}`);
  }
  const promptUnits = endsJob && terms.settled_units + deliveredUnits > 0 ? terms.prompt_units : 0;
  const units = deliveredUnits + promptUnits;
  const price = segmentPrice(
    BigInt(terms.settled_units),
    BigInt(units),
    BigInt(terms.price_uait_per_million_units),
  );
  return { promptUnits, units, price };
}

/**
 * Builds the unsigned receipt of a segment. `hash` is the terms' hash, where the caller has it. Throws
 * INVALID_PAYLOAD for a price past 2^53−1 µAIT, INVALID_ARGUMENT for a range that runs backwards.
 */
export function buildReceipt(terms: Terms, segment: SegmentOutcome, hash = termsHash(terms)): Receipt {
  const endsJob = segment.endsJob || segment.outcome === "completed";
  if (segment.end_byte < terms.start_byte) {
    throw new AppError("INVALID_ARGUMENT", "end_byte: lies before the start of the segment");
  }
  const charge = chargeSegment(terms, segment.delivered_units, endsJob);
  return {
    version: "1.1",
    receipt_id: `rcpt-${terms.job_id}-${terms.token}`,
    job_id: terms.job_id,
    provider: segment.provider,
    client: terms.client,
    units: charge.units,
    unit_type: terms.unit_type,
    price: toReceiptPrice(charge.price),
    model: terms.model,
    prompt_hash: `sha256:${terms.request_sha256}`,
    started_at: terms.started_at,
    completed_at: segment.completed_at,
    duration_ms: segment.duration_ms,
    artifact_hash: `sha256:${segment.segment_sha256}`,
    coordinator_id: terms.coordinator_id,
    nonce: terms.nonce,
    metadata: {
      token: terms.token,
      start_byte: terms.start_byte,
      end_byte: segment.end_byte,
      meter: terms.meter,
      terms_hash: hash,
      output_sha256: segment.output_sha256,
      outcome: segment.outcome,
      prompt_units: charge.promptUnits,
      settlement: terms.settlement,
      ...(segment.progress && { progress: segment.progress }),
      ...(segment.payout !== undefined && { payout: segment.payout }),
    },
  };
}

/** A receipt holds its price as a number: past 2^53−1 it would not be exact. */
function toReceiptPrice(price: bigint): number {
  if (price > BigInt(Number.MAX_SAFE_INTEGER)) {
    throw new AppError("INVALID_PAYLOAD", "the price does not fit into a receipt", {
      meta: { pointer: "/price" },
    });
  }
  return Number(price);
}
