import { utf8Length } from "../../crypto/bytes.ts";
import { type Terms, termsHash } from "../../domain/job/terms.ts";
import type { ReceiptProgress } from "../../domain/receipt/fields.ts";
import { AppError } from "../../kernel/errors.ts";
import { Lease } from "./lease.ts";
import type { CoordinatorDeps } from "./ports.ts";
import { findSegment, readSegmentText, readText } from "./store/delivery.ts";
import { findMiner } from "./store/miners.ts";
import type { JobTable } from "./tables.ts";

/**
 * Takes up a running lease from its rows: what is stored counts as accepted, and the lease gets a full term in
 * which its miner can come back. Nobody holds it until then. Throws UNKNOWN_METER where the lease was granted by
 * a program that could count by a meter that this one does not know.
 */
export async function restoreLease(
  { store, clock, meters }: Pick<CoordinatorDeps, "store" | "clock" | "meters">,
  job: JobTable,
  leaseMs: number,
): Promise<Lease> {
  const { db } = store;
  const segment = await findSegment(db, job.job_id, job.token);
  if (!segment) throw new AppError("INTERNAL", `job ${job.job_id} runs without a segment`);
  // Both columns were written by this program from checked values.
  const terms = JSON.parse(segment.terms) as Terms;
  const meter = meters.find(terms.meter);
  if (!meter) throw new AppError("UNKNOWN_METER", `job ${job.job_id} is counted by the meter ${terms.meter}`);
  const progress = segment.progress === null ? undefined : (JSON.parse(segment.progress) as ReceiptProgress);
  const prefix = await readText(db, job.job_id, job.token);
  const text = await readSegmentText(db, job.job_id, job.token);
  const miner = await findMiner(db, segment.miner_id);
  const now = clock.monotonic();
  // The receipt states how long the lease ran, and its miner has counted on through the restart.
  const ranMs = Math.max(0, clock.now() - segment.started_at);
  const lease = new Lease({
    job,
    terms,
    termsHash: termsHash(terms),
    meter,
    payout: miner?.payout ?? null,
    grantedAt: now - ranMs,
    expiresAt: now + leaseMs,
    deadlineAt: now + Math.max(1, job.max_run_ms - job.run_ms),
    prefix,
  });
  lease.restore(text, utf8Length(text), progress);
  return lease;
}
