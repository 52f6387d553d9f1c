import { describe, expect, it } from "vitest";
import { silentLog } from "../../../test/harness/miner-bench.ts";
import type { OpenAnswer } from "./answers.ts";
import { createAbandon } from "./call.ts";
import type { GatewayDeps } from "./ports.ts";

/** How often the job is canceled when its caller goes away, as it may be told twice. */
function cancellations(
  facts: { detach?: boolean; idempotencyKey?: string },
  stopping = new AbortController(),
): number {
  let canceled = 0;
  const answer = {
    cancel: async () => {
      canceled++;
    },
  } as OpenAnswer;
  const deps = { stopping: stopping.signal, log: silentLog } as GatewayDeps;
  const { signal } = new AbortController();
  const { detach, idempotencyKey } = facts;
  const abandon = createAbandon(deps, answer, { bodyText: "", detach, idempotencyKey, signal });
  abandon();
  abandon();
  return canceled;
}

describe("a caller that goes away", () => {
  it("cancels its job, once", () => {
    expect(cancellations({})).toBe(1);
    expect(cancellations({ detach: false })).toBe(1);
    expect(cancellations({ detach: false, idempotencyKey: "k" })).toBe(1);
  });

  it("does not when it comes back", () => {
    expect(cancellations({ detach: true })).toBe(0);
    expect(cancellations({ idempotencyKey: "k" })).toBe(0);
  });

  it("because the daemon stops has not gone", () => {
    const stopping = new AbortController();
    stopping.abort();
    expect(cancellations({}, stopping)).toBe(0);
  });
});
