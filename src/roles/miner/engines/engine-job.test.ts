import { getEventListeners } from "node:events";
import { setImmediate as turn } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import type { EnginePiece, EngineResult } from "./engine.ts";
import { EngineJob } from "./engine-job.ts";

const RESULT: EngineResult = { finish_reason: "stop", prompt_tokens: 1, completion_tokens: 2 };

function start(onChunk: (piece: EnginePiece) => void | Promise<void>) {
  const caller = new AbortController();
  const job = new EngineJob({}, { signal: caller.signal, onChunk, deadlineMs: 10_000 }, () => {});
  return { job, caller };
}

describe("an engine's job", () => {
  it("hands pieces over at once, in their order, and the outcome behind them", async () => {
    const seen: unknown[] = [];
    const { job, caller } = start((piece) => void seen.push(piece));
    job.deliver("a", () => seen.push("taken"));
    job.deliver("b", () => seen.push("taken"));
    expect(seen).toEqual(["a", "taken", "b", "taken"]);
    job.complete(RESULT);
    job.letGo();
    expect(await job.outcome).toBe(RESULT);
    expect(getEventListeners(caller.signal, "abort")).toHaveLength(0);
  });

  it("waits for a caller that wants time, with the pieces behind and with the outcome", async () => {
    const seen: unknown[] = [];
    const gate = Promise.withResolvers<void>();
    const { job } = start((piece) => {
      seen.push(piece);
      return piece === "a" ? gate.promise : undefined;
    });
    void job.outcome.then(() => seen.push("outcome"));
    job.deliver("a", () => seen.push("taken a"));
    job.deliver("b", () => seen.push("taken b"));
    job.complete(RESULT);
    job.letGo();
    expect(seen).toEqual(["a"]);
    gate.resolve();
    await job.outcome;
    expect(seen).toEqual(["a", "taken a", "b", "taken b", "outcome"]);
  });

  it("keeps the order when the caller's taking brings the next piece", async () => {
    const seen: unknown[] = [];
    const { job } = start((piece) => void seen.push(piece));
    job.deliver("a", () => {
      job.deliver("b", () => {});
      seen.push("taken a");
    });
    job.complete(RESULT);
    job.letGo();
    await job.outcome;
    expect(seen).toEqual(["a", "taken a", "b"]);
  });

  it.each([
    [
      "throws",
      () => {
        throw new Error("full");
      },
    ],
    ["rejects", () => Promise.reject(new Error("full"))],
  ])("fails, and asks its child to stop, when the caller %s", async (_name, onChunk) => {
    let taken = 0;
    const { job } = start(onChunk);
    job.deliver("a", () => (taken += 1));
    job.deliver("b", () => (taken += 1));
    job.complete(RESULT);
    job.letGo();
    await expect(job.outcome).rejects.toThrow("full");
    expect(job.stopSignal.aborted).toBe(true);
    job.deliver("c", () => (taken += 1));
    expect(taken).toBe(0);
  });

  it("hands nothing over once its caller has given it up", async () => {
    const seen: unknown[] = [];
    const gate = Promise.withResolvers<void>();
    const { job, caller } = start((piece) => {
      seen.push(piece);
      return gate.promise;
    });
    job.deliver("a", () => seen.push("taken"));
    job.deliver("b", () => {});
    caller.abort(new Error("enough"));
    job.deliver("c", () => {});
    gate.resolve();
    job.letGo();
    await expect(job.outcome).rejects.toThrow("enough");
    await turn();
    expect(seen).toEqual(["a", "taken"]);
  });
});
