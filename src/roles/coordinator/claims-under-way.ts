import type { Choice } from "./store/queue.ts";

/**
 * Jobs that claims of this process are about to take. Searches that run side by side pass them over: of many idle
 * miners that look at once each finds a job of its own, while there are enough. The rows still decide.
 */
export class ClaimsUnderWay {
  readonly #jobs = new Set<string>();

  /** Takes a job for one claim, until `release`; false when another one has it. */
  take(jobId: string): boolean {
    if (this.#jobs.has(jobId)) return false;
    this.#jobs.add(jobId);
    return true;
  }

  release(jobId: string): void {
    this.#jobs.delete(jobId);
  }

  /** A choice among the jobs that no claim is about to take. */
  amongOthers({ whyNot, rank }: Omit<Choice, "claimed">): Choice {
    return {
      whyNot: (head) => (this.#jobs.has(head.job_id) ? "claim" : whyNot(head)),
      rank,
      claimed: this.#jobs.size,
    };
  }
}
