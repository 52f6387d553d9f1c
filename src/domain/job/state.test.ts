import { describe, expect, it } from "vitest";
import { findTransition, isTerminal, JOB_EVENTS, JOB_STATES, transition } from "./state.ts";

const ALLOWED = [
  "QUEUED claim RUNNING",
  "QUEUED fail FAILED",
  "QUEUED cancel CANCELED",
  "QUEUED expire EXPIRED",
  "RUNNING requeue QUEUED",
  "RUNNING complete COMPLETED",
  "RUNNING fail FAILED",
  "RUNNING cancel CANCELED",
];

describe("job states", () => {
  it("allows the moves of the design and no other", () => {
    const moves = JOB_STATES.flatMap((state) =>
      JOB_EVENTS.flatMap((event) => {
        const next = findTransition(state, event);
        return next === undefined ? [] : [`${state} ${event} ${next}`];
      }),
    );
    expect(moves.sort()).toEqual([...ALLOWED].sort());
  });

  it("ends in four states, which nothing leaves", () => {
    expect(JOB_STATES.filter(isTerminal)).toEqual(["COMPLETED", "FAILED", "CANCELED", "EXPIRED"]);
    for (const state of JOB_STATES.filter(isTerminal)) {
      for (const event of JOB_EVENTS) {
        expect(() => transition(state, event)).toThrow(expect.objectContaining({ code: "CONFLICT_STATE" }));
      }
    }
  });

  it("completes a running job", () => {
    expect(transition("RUNNING", "complete")).toBe("COMPLETED");
  });
});
