import type { JobState } from "../../domain/job/state.ts";
import { chargeSegment } from "../../domain/receipt/build.ts";
import type { Outcome, Receipt } from "../../domain/receipt/fields.ts";
import { receiptHash } from "../../domain/receipt/sign.ts";
import type { Portion } from "./delivery.ts";
import type { Lease } from "./lease.ts";
import type { Answer } from "./store/answers.ts";
import type { EndingRows } from "./store/endings.ts";
import type { JobTable, QueueTable } from "./tables.ts";

/** How a lease ends other than by a complete answer. */
export interface LeaseFailure {
  readonly outcome: Exclude<Outcome, "completed">;
  /** What the job's view shows: `CODE: message`. Null for a cancellation. */
  readonly error: string | null;
  /** Whether another attempt may help. */
  readonly retry: boolean;
  /** The miner never began, and not by its fault: the claim does not count as an attempt. */
  readonly unbegun?: boolean;
}

/** What a miner hands in with a complete answer. */
export interface Completion {
  readonly finish_reason: string;
  readonly usage: { readonly prompt_tokens: number; readonly completion_tokens: number };
  /** The receipt as the miner signed it, not yet checked. */
  readonly receipt: unknown;
}

/** Everything that one end of a lease writes, in one transaction. */
export interface Ending {
  readonly lease: Lease;
  readonly portion: Portion;
  readonly state: JobState;
  readonly outcome: Outcome;
  readonly error: string | null;
  readonly finishReason: string | null;
  readonly usage: string | null;
  readonly receipt: Receipt | undefined;
  readonly receiptBytes: Uint8Array | undefined;
  /** The answer as its miner wrote it, where that is more than the text. */
  readonly answer?: Answer;
  /** The claim is taken back and counts for nobody. */
  readonly unbegun?: boolean;
  /** When the job may run again, Unix ms; undefined when it has ended. */
  readonly wakeAt: number | undefined;
  /** Where it waits then. */
  readonly again?:
    | Pick<QueueTable, "requirement_id" | "priority" | "client_number" | "order_key">
    | undefined;
  readonly now: number;
}

/** Name of a lease among all leases. */
export const leaseName = (jobId: string, token: number): string => `${jobId}/${token}`;

/** What an ending writes. `ranMs`: how much of the job's time the lease used up. */
export function toEndingRows(ending: Ending, ranMs: number): EndingRows {
  const { lease, portion, receipt, receiptBytes, state, outcome, now, wakeAt, again } = ending;
  const { jobId: job_id, token, job } = lease;
  const ended = wakeAt === undefined;
  const charge = receipt ? chargeSegment(lease.terms, lease.deliveredUnits, ended) : { units: 0, price: 0n };
  const share = { ran_ms: ranMs, units: charge.units, price_uait: charge.price };
  return {
    job: {
      job_id,
      token,
      state,
      ran_ms: ranMs,
      delivered_bytes: portion.endByte,
      last_seq: portion.seq,
      settled_units: job.settled_units + charge.units,
      price_uait: job.price_uait + charge.price,
      completed_at: ended ? now : null,
      finish_reason: ending.finishReason,
      usage: ending.usage,
      error: ending.error,
    },
    portion: portion.rows,
    answer: ending.answer,
    segment: { end_byte: portion.endByte, ended_at: now, outcome, receipt_id: receipt?.receipt_id ?? null },
    receipt: receipt &&
      receiptBytes && {
        receipt_id: receipt.receipt_id,
        job_id,
        token,
        hash: receiptHash(receipt, receiptBytes),
        start_byte: lease.terms.start_byte,
        end_byte: portion.endByte,
        units: charge.units,
        price_uait: charge.price,
        document: JSON.stringify(receipt),
        issued_at: now,
      },
    again:
      wakeAt === undefined || !again ? undefined : { job: pickPlace(job), place: again, wake_at: wakeAt },
    totals: ending.unbegun
      ? undefined
      : {
          miner: {
            ...share,
            miner_id: lease.minerId,
            completed: outcome === "completed" ? 1 : 0,
            failed: outcome === "completed" || outcome === "canceled" ? 0 : 1,
            canceled: outcome === "canceled" ? 1 : 0,
            receipt_id: receipt?.receipt_id ?? null,
          },
          day: { at: now, state: ended ? state : undefined, lease: share },
        },
  };
}

const pickPlace = ({ job_id, requirement_id, priority }: JobTable) => ({ job_id, requirement_id, priority });
