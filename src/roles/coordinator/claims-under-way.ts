import type { Choice, Head } from "./store/queue.ts";

/** What a search goes by, but for the claims that are under way. */
export type OwnChoice = Pick<Choice, "whyNot" | "rank">;

/**
 * Jobs that claims of this process are about to take. Searches that run side by side pass them over: of many idle
 * miners that look at once each finds a job of its own, while there are enough. The rows still decide.
 */
export class ClaimsUnderWay {
  readonly #jobs = new Map<string, Head>();
  /** Ends with the last search that was begun. */
  #tail: Promise<unknown> = Promise.resolve();

  /**
   * Runs a search, and the taking of what it finds, after those that were begun before: else many would find the
   * same job, and all but one search again.
   */
  search<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#tail.then(work);
    this.#tail = turn.catch(() => {});
    return turn;
  }

  /** Takes a job for one claim, until `release`; false when another one has it. */
  take(head: Head): boolean {
    if (this.#jobs.has(head.job_id)) return false;
    this.#jobs.set(head.job_id, head);
    return true;
  }

  release(jobId: string): void {
    this.#jobs.delete(jobId);
  }

  /** A choice among the jobs that no claim is about to take. */
  amongOthers({ whyNot, rank }: OwnChoice): Choice {
    return {
      whyNot: (head) => (this.#jobs.has(head.job_id) ? "claim" : whyNot(head)),
      rank,
      claimed: this.#jobs.size,
      lastClaimed: (requirementId) => this.#last(requirementId),
    };
  }

  #last(requirementId: number): Head | undefined {
    let last: Head | undefined;
    for (const head of this.#jobs.values()) {
      if (head.requirement_id === requirementId && (!last || isAfter(head, last))) last = head;
    }
    return last;
  }
}

const isAfter = (a: Head, b: Head): boolean =>
  a.order_key > b.order_key || (a.order_key === b.order_key && a.job_id > b.job_id);
