import { describe, expect, it } from "vitest";
import {
  claimLease,
  committedJob,
  openCoordinatorStore,
  queueJob,
} from "../../../../test/harness/coordinator-store.ts";
import { enqueueAgain, type LeaseEnd, markLeaseEnded } from "./jobs.ts";
import { holdLeases } from "./lease-fence.ts";

const END: Omit<LeaseEnd, "job_id" | "token"> = {
  state: "QUEUED",
  ran_ms: 1,
  delivered_bytes: 0,
  last_seq: 0,
  settled_units: 0,
  price_uait: 0n,
  completed_at: null,
  finish_reason: null,
  usage: null,
  error: null,
};

/** A job whose first lease was lost and that runs under its second one. */
async function openReclaimed() {
  const store = await openCoordinatorStore();
  const job_id = await queueJob(store);
  const first = await claimLease(store, job_id, "miner-1");
  await store.operation(async (tx) => {
    await markLeaseEnded(tx, { ...END, job_id, token: first.token });
    await enqueueAgain(tx, first.job, { requirement_id: 1, client_number: 0, order_key: 0 }, null);
  });
  const second = await claimLease(store, job_id, "miner-2");
  return { store, job_id, stale: first.token, token: second.token };
}

describe("the fence", () => {
  it("refuses text under a token that another claim has replaced", async () => {
    const { store, job_id, stale, token } = await openReclaimed();
    const fences = [stale, token].map((under) => ({ job_id, token: under }));
    expect(await store.operation((tx) => holdLeases(tx, fences))).toEqual([false, true]);
  });

  it("refuses the end of a lease under a token that another claim has replaced", async () => {
    const { store, job_id, stale, token } = await openReclaimed();
    const end = (under: number): Promise<boolean> =>
      store.operation((tx) => markLeaseEnded(tx, { ...END, job_id, token: under, state: "COMPLETED" }));
    expect(await end(stale)).toBe(false);
    expect(committedJob(store, job_id)).toMatchObject({ state: "RUNNING", token });
    expect(await end(token)).toBe(true);
  });

  it("refuses what comes after the end, under the right token too", async () => {
    const { store, job_id, token } = await openReclaimed();
    await store.operation((tx) => markLeaseEnded(tx, { ...END, job_id, token, state: "CANCELED" }));
    const late = await store.operation(async (tx) => [
      ...(await holdLeases(tx, [{ job_id, token }])),
      await markLeaseEnded(tx, { ...END, job_id, token, state: "COMPLETED" }),
    ]);
    expect(late).toEqual([false, false]);
    expect(committedJob(store, job_id)).toMatchObject({ state: "CANCELED", delivered_bytes: 0 });
  });
});
