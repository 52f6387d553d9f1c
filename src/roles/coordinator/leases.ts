import type { Lease } from "./lease.ts";

/** How many jobs wait, counted as they come and go: nobody has to ask the database. */
export interface Backlog {
  queued: number;
}

/** The leases that run in this process, one a job. */
export class Leases {
  readonly #byJob = new Map<string, Lease>();

  get size(): number {
    return this.#byJob.size;
  }

  add(lease: Lease): void {
    this.#byJob.set(lease.jobId, lease);
  }

  /** The running lease of a job, whatever its token. */
  find(jobId: string): Lease | undefined {
    return this.#byJob.get(jobId);
  }

  /** Takes a lease out for good: nothing is accepted under it any more. */
  remove(lease: Lease): void {
    lease.ended = true;
    if (this.#byJob.get(lease.jobId) === lease) this.#byJob.delete(lease.jobId);
  }

  values(): Lease[] {
    return [...this.#byJob.values()];
  }
}
