/** States of a job and the one table of moves between them. */
import { AppError } from "../../kernel/errors.ts";

export const JOB_STATES = ["QUEUED", "RUNNING", "COMPLETED", "FAILED", "CANCELED", "EXPIRED"] as const;
export type JobState = (typeof JOB_STATES)[number];

/**
 * What can happen to a job. `requeue`: its lease is lost, or its miner failed in a way that another may not,
 * and attempts remain. `expire`: nobody claimed it within its time to live.
 */
export const JOB_EVENTS = ["claim", "requeue", "complete", "fail", "cancel", "expire"] as const;
export type JobEvent = (typeof JOB_EVENTS)[number];

/**
 * Every allowed move. A queued job can fail (its run time is used up between two attempts) and a job that was
 * requeued can expire no more, which the caller knows: time to live counts until the first claim only.
 */
const TRANSITIONS: Readonly<Record<JobState, Readonly<Partial<Record<JobEvent, JobState>>>>> = {
  QUEUED: { claim: "RUNNING", fail: "FAILED", cancel: "CANCELED", expire: "EXPIRED" },
  RUNNING: { requeue: "QUEUED", complete: "COMPLETED", fail: "FAILED", cancel: "CANCELED" },
  COMPLETED: {},
  FAILED: {},
  CANCELED: {},
  EXPIRED: {},
};

/** The state after an event, or undefined where the event is not allowed. */
export function findTransition(state: JobState, event: JobEvent): JobState | undefined {
  return TRANSITIONS[state][event];
}

/** The state after an event. Throws CONFLICT_STATE where the event is not allowed. */
export function transition(state: JobState, event: JobEvent): JobState {
  const next = findTransition(state, event);
  if (next === undefined) {
    throw new AppError("CONFLICT_STATE", `a job in state ${state} cannot ${event}`, {
      meta: { state, event },
    });
  }
  return next;
}

/** Whether a job in this state never changes again. */
export function isTerminal(state: JobState): boolean {
  return Object.keys(TRANSITIONS[state]).length === 0;
}
