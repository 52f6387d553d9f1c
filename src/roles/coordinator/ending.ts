import type { JobState } from "../../domain/job/state.ts";
import type { Outcome, Receipt } from "../../domain/receipt/fields.ts";
import type { Portion } from "./delivery.ts";
import type { Lease } from "./lease.ts";
import type { Answer } from "./store/answers.ts";
import type { Db } from "./store/handle.ts";
import { addToMiner } from "./store/miners.ts";
import { addToDay } from "./store/totals.ts";
import type { QueueTable } from "./tables.ts";

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

/** Adds an ending to the totals of its miner and of its day. */
export async function countEnding(
  tx: Db,
  { lease, outcome, receipt, state, wakeAt, now }: Ending,
  share: { ran_ms: number; units: number; price_uait: bigint },
): Promise<void> {
  await addToMiner(tx, {
    ...share,
    miner_id: lease.minerId,
    completed: outcome === "completed" ? 1 : 0,
    failed: outcome === "completed" || outcome === "canceled" ? 0 : 1,
    canceled: outcome === "canceled" ? 1 : 0,
    receipt_id: receipt?.receipt_id ?? null,
  });
  await addToDay(tx, { at: now, state: wakeAt === undefined ? state : undefined, lease: share });
}
