import type { JobTable, QueueTable, ReceiptTable } from "../tables.ts";
import { type Answer, insertAnswer } from "./answers.ts";
import { insertReceipt, markSegmentEnded, type SegmentEnd } from "./delivery.ts";
import type { Db } from "./handle.ts";
import { enqueueAgain, type LeaseEnd, markLeaseEnded, takeBackAttempt } from "./jobs.ts";
import { addToMiner, type MinerShare } from "./miners.ts";
import { type PortionRows, storePortion } from "./portions.ts";
import { addToDay, type Ending } from "./totals.ts";

/** Everything that one end of a lease writes. */
export interface EndingRows {
  readonly job: LeaseEnd;
  /** The last text. */
  readonly portion: PortionRows;
  /** The answer as its miner wrote it, where that is more than the text. */
  readonly answer: Answer | undefined;
  readonly segment: Pick<SegmentEnd, "end_byte" | "ended_at" | "outcome" | "receipt_id">;
  readonly receipt: ReceiptTable | undefined;
  /** Where the job waits again. */
  readonly again:
    | {
        readonly job: Pick<JobTable, "job_id" | "requirement_id" | "priority">;
        readonly place: Pick<QueueTable, "requirement_id" | "client_number" | "order_key">;
        /** Unix ms. */
        readonly wake_at: number;
      }
    | undefined;
  /** What the lease adds to the totals of its miner and of its day; undefined: the claim is taken back. */
  readonly totals: { readonly miner: MinerShare; readonly day: Ending } | undefined;
}

/** Ends a lease, fenced by its token; whether it still held. */
export async function endLease(tx: Db, rows: EndingRows): Promise<boolean> {
  const { job, portion, answer, segment, receipt, again, totals } = rows;
  const { job_id, token } = job;
  if (!(await markLeaseEnded(tx, job))) return false;
  await storePortion(tx, portion);
  if (answer) await insertAnswer(tx, { job_id, token, ...answer });
  await markSegmentEnded(tx, { job_id, token, ...segment });
  if (receipt) await insertReceipt(tx, receipt);
  if (again) await enqueueAgain(tx, again.job, again.place, again.wake_at);
  if (!totals) {
    await takeBackAttempt(tx, job_id);
    return true;
  }
  await addToMiner(tx, totals.miner);
  await addToDay(tx, totals.day);
  return true;
}
