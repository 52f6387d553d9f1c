import type { AppError } from "../../kernel/errors.ts";
import type { Lease } from "./lease.ts";

/** How many jobs wait, counted as they come and go: nobody has to ask the database. */
export interface Backlog {
  queued: number;
}

/** Hears of leases. */
export interface LeaseWatcher {
  begun(lease: Lease): void;
  ended(lease: Lease): void;
}

/** The leases that run in this process, one a job. */
export class Leases {
  readonly #byJob = new Map<string, Lease>();

  /** Jobs that run by their rows but cannot be taken up by this program, and why. */
  readonly #aside = new Map<string, AppError>();

  #watcher: LeaseWatcher | undefined;

  /** Tells somebody of each lease that begins and ends here. */
  watch(watcher: LeaseWatcher): void {
    this.#watcher = watcher;
  }

  get size(): number {
    return this.#byJob.size;
  }

  add(lease: Lease): void {
    const earlier = this.#byJob.get(lease.jobId);
    this.#byJob.set(lease.jobId, lease);
    if (earlier) this.#watcher?.ended(earlier);
    this.#watcher?.begun(lease);
  }

  /** The running lease of a job, whatever its token. */
  find(jobId: string): Lease | undefined {
    return this.#byJob.get(jobId);
  }

  /** Takes a lease out for good: nothing is accepted under it any more. */
  remove(lease: Lease): void {
    lease.ended = true;
    if (this.#byJob.get(lease.jobId) !== lease) return;
    this.#byJob.delete(lease.jobId);
    this.#watcher?.ended(lease);
  }

  /** Notes why a running job of an earlier process has no lease here. */
  setAside(jobId: string, reason: AppError): void {
    this.#aside.set(jobId, reason);
  }

  /** Why a running job has no lease here; undefined when it has one, or soon will. */
  whyAside(jobId: string): AppError | undefined {
    return this.#aside.get(jobId);
  }

  values(): Lease[] {
    return [...this.#byJob.values()];
  }
}
