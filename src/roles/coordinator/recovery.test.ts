import { describe, expect, it } from "vitest";
import { TestClock } from "../../../test/harness/clock.ts";
import {
  accept,
  claimLease,
  openCoordinatorStore,
  queueJob,
} from "../../../test/harness/coordinator-store.ts";
import { BYTES_ONLY } from "../../domain/job/meters.ts";
import { storePortion, takePortion } from "./delivery.ts";
import { restoreLease } from "./recovery.ts";
import { markDelivered } from "./store/jobs.ts";

const LEASE_MS = 30_000;
const DOWN_MS = 120_000;

describe("a lease taken up after a restart", () => {
  it("goes on where the stored text ends, with a full term, and counts its whole time", async () => {
    const store = await openCoordinatorStore();
    const jobId = await queueJob(store);
    const before = await claimLease(store, jobId, "miner-1");
    accept(before, "très");
    const portion = takePortion(before);
    await store.operation(async (tx) => {
      const delivered = { delivered_bytes: portion.endByte, last_seq: portion.seq };
      await markDelivered(tx, { job_id: jobId, token: before.token }, delivered);
      await storePortion(tx, portion);
    });
    const clock = new TestClock();
    clock.advance(DOWN_MS);
    const [job] = await store.db.selectFrom("coordinator_job").selectAll().execute();
    if (!job) throw new Error("the job is gone");
    const after = await restoreLease({ store, clock, meters: BYTES_ONLY }, job, LEASE_MS);
    expect(after.token).toBe(before.token);
    expect(after.termsHash).toBe(before.termsHash);
    expect([after.acceptedBytes, after.storedBytes, after.lastSeq]).toEqual([5, 5, 1]);
    expect(after.outputSha256()).toBe(before.outputSha256());
    // The miner's receipt counts from the offer: five seconds of difference and it would be refused.
    const ranMs = clock.monotonic() - after.grantedAt;
    expect(ranMs).toBeGreaterThanOrEqual(DOWN_MS);
    expect(ranMs).toBeLessThan(DOWN_MS + LEASE_MS);
    expect(after.expiresAt - clock.monotonic()).toBeGreaterThan(LEASE_MS / 2);
  });
});
