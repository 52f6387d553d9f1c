import type { JobTable, QueueTable, ReceiptTable } from "../tables.ts";
import { type Answer, insertAnswer } from "./answers.ts";
import { insertReceipts, markSegmentEnded, type SegmentEnd } from "./delivery.ts";
import type { Db } from "./handle.ts";
import { enqueueAgain, type LeaseEnd, markLeaseEnded, takeBackAttempt } from "./jobs.ts";
import { addToMiners, type MinerShare } from "./miners.ts";
import { type PortionRows, storeFencedPortions } from "./portions.ts";
import { addToDays, type Ending } from "./totals.ts";

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

/** Ends leases, each fenced by its token; which of them still held. */
export async function endLeases(tx: Db, calls: readonly (readonly [EndingRows])[]): Promise<boolean[]> {
  const held: boolean[] = [];
  const endings: EndingRows[] = [];
  for (const [rows] of calls) {
    const holds = await markLeaseEnded(tx, rows.job);
    held.push(holds);
    if (holds) endings.push(rows);
  }
  await storeFencedPortions(
    tx,
    endings.map(({ portion }) => portion),
  );
  for (const { job, answer, segment } of endings) {
    const { job_id, token } = job;
    if (answer) await insertAnswer(tx, { job_id, token, ...answer });
    await markSegmentEnded(tx, { job_id, token, ...segment });
  }
  await insertReceipts(
    tx,
    endings.flatMap(({ receipt }) => receipt ?? []),
  );
  for (const { job, again, totals } of endings) {
    if (again) await enqueueAgain(tx, again.job, again.place, again.wake_at);
    if (!totals) await takeBackAttempt(tx, job.job_id);
  }
  const totals = endings.flatMap((rows) => rows.totals ?? []);
  await addToMiners(
    tx,
    totals.map(({ miner }) => miner),
  );
  await addToDays(
    tx,
    totals.map(({ day }) => day),
  );
  return held;
}

/** Ends one lease; whether it still held. */
export async function endLease(tx: Db, rows: EndingRows): Promise<boolean> {
  const [held = false] = await endLeases(tx, [[rows]]);
  return held;
}
