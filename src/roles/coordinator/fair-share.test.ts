import { describe, expect, it } from "vitest";
import { openCoordinatorStore } from "../../../test/harness/coordinator-store.ts";
import { CoordinatorConfig } from "./config.ts";
import { FairShare } from "./fair-share.ts";
import type { Store } from "./ports.ts";

/** The shares of clients that may run a job at once each. */
async function open() {
  const database = await openCoordinatorStore();
  let disk: Promise<void> = Promise.resolve();
  const store: Store = {
    db: database.db,
    operation: (body, ...args) => database.operation(body, ...args).finally(() => disk),
  };
  const fair = new FairShare(store, CoordinatorConfig.parse({ max_running_per_client: 1 }));
  const headOf = (clientId: string, requirement_id: number) => {
    const client_number = fair.numberOf(clientId);
    return { job_id: clientId, requirement_id, priority: 1, client_number, order_key: 1 };
  };
  /** Lets operations end when the returned function was called, and no sooner. */
  const stallDisk = (): (() => void) => {
    const { promise, resolve } = Promise.withResolvers<void>();
    disk = promise;
    return resolve;
  };
  return { fair, headOf, stallDisk };
}

describe("jobs that were set aside", () => {
  it("are not overtaken by others of their client while they are brought back", async () => {
    const { fair, headOf, stallDisk } = await open();
    const { whyNot } = fair.choiceFor(fair.beginClaim(), () => false);
    const release = stallDisk();
    const returning = fair.unpark(fair.numberOf("client-1"));
    expect(whyNot(headOf("client-1", 7))).toBe("return");
    expect(whyNot(headOf("client-2", 8))).toBeUndefined();
    release();
    // Whoever passed them over has to look again.
    expect(await returning).toEqual([7]);
    expect(whyNot(headOf("client-1", 7))).toBeUndefined();
  });

  it("are not forgotten when the last ones were brought back just before", async () => {
    const { fair, headOf } = await open();
    const returning = fair.unpark(fair.numberOf("client-1"));
    const head = headOf("client-1", 7);
    await Promise.all([returning, fair.park([head])]);
    expect(fair.parkedWithRoom()).toEqual([head.client_number]);
  });
});
