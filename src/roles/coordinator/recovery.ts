import { utf8Length } from "../../crypto/bytes.ts";
import { type Terms, termsHash } from "../../domain/job/terms.ts";
import type { ReceiptProgress } from "../../domain/receipt/fields.ts";
import { AppError } from "../../kernel/errors.ts";
import { Lease } from "./lease.ts";
import type { Leases } from "./leases.ts";
import type { CoordinatorDeps } from "./ports.ts";
import { findSegment, readSegmentText, readText } from "./store/delivery.ts";
import { adoptRuns, listOrphanedRuns } from "./store/jobs.ts";
import { findLastSeq } from "./store/lease-fence.ts";
import { findMiner } from "./store/miners.ts";
import type { JobTable } from "./tables.ts";

/** Terms that a restored lease may run at least, whatever the wall clock says: one to come back in, one to end in. */
const LEAST_TERMS = 2;

type RecoveryDeps = Pick<CoordinatorDeps, "store" | "clock" | "meters">;

/** How long a restored lease holds before its miner has come back, and how long a lease does otherwise, in ms. */
interface RestoredTerm {
  readonly holdMs: number;
  readonly termMs: number;
}

/**
 * Takes up what an earlier process left running; each lease gets a full term. A job whose meter this program lacks
 * stays as it is, in the name of the process that granted its lease: its text cannot be counted here, so no receipt
 * could be true, and a new lease would leave that text unpaid. It is taken up by the next start that has the meter.
 * Meanwhile its miner's frames are refused. Nothing else waits for it.
 */
export async function adoptLeases(
  { log, ...deps }: RecoveryDeps & Pick<CoordinatorDeps, "log">,
  leases: Leases,
  instance: string,
  termMs: number,
): Promise<void> {
  const { store } = deps;
  const orphans = await listOrphanedRuns(store.db, instance);
  const taken: string[] = [];
  for (const job of orphans) {
    try {
      leases.add(await restoreLease(deps, job, { holdMs: termMs, termMs }));
      taken.push(job.job_id);
    } catch (error) {
      if (!(error instanceof AppError) || error.code !== "UNKNOWN_METER") throw error;
      leases.setAside(job.job_id, error);
      log.error({ job_id: job.job_id, code: error.code, detail: error.message }, "running job not taken up");
    }
  }
  await store.operation(adoptRuns, taken, instance);
  if (taken.length > 0) log.info({ jobs: taken.length }, "running jobs taken up after a restart");
}

/**
 * Takes up a running lease from its rows: what is stored counts as accepted. Nobody holds it until its miner
 * comes back. @throws AppError UNKNOWN_METER where the lease was granted by a program that could count by a meter
 * that this one does not know
 */
export async function restoreLease(
  { store, clock, meters }: RecoveryDeps,
  job: JobTable,
  { holdMs, termMs }: RestoredTerm,
): Promise<Lease> {
  const { db } = store;
  const segment = await findSegment(db, job.job_id, job.token);
  if (!segment) throw new AppError("INTERNAL", `job ${job.job_id} runs without a segment`);
  // Both columns were written by this program from checked values.
  const terms = JSON.parse(segment.terms) as Terms;
  const meter = meters.find(terms.meter);
  if (!meter) {
    throw new AppError(
      "UNKNOWN_METER",
      `job ${job.job_id} is counted by the meter ${terms.meter}, which this coordinator lacks: start the version of aitbc that granted its lease, which settles it`,
    );
  }
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
    expiresAt: now + holdMs,
    deadlineAt: now + leftMs(job, ranMs, termMs),
    prefix,
  });
  lease.restore(text, utf8Length(text), progress, await findLastSeq(db, job.job_id));
  return lease;
}

/**
 * What is left of a job's time when its lease has run since its grant, through the restart too: a job that is
 * restarted again and again still ends. Only the wall clock knows how long that was, and it may have been set
 * meanwhile. Set back, it gives the job no more than its earlier leases left. Set forward, it would end the job
 * of an honest miner on the spot: so two terms are always left, in which that miner comes back and can end, or
 * loses the lease to another. What a lie of the clock can cost is then the rest of the time, and what it can
 * give is two terms a restart; the miner's own clock, which counted on, keeps the deadline of the offer.
 */
function leftMs(job: JobTable, ranMs: number, termMs: number): number {
  const wholeMs = Math.max(1, job.max_run_ms - job.run_ms);
  return Math.min(wholeMs, Math.max(wholeMs - ranMs, LEAST_TERMS * termMs));
}
