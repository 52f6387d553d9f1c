import { describe, expect, it } from "vitest";
import { TestClock } from "../../../test/harness/clock.ts";
import {
  accept,
  claimLease,
  openCoordinatorStore,
  queueJob,
} from "../../../test/harness/coordinator-store.ts";
import { BYTES_ONLY } from "../../domain/job/meters.ts";
import { takePortion } from "./delivery.ts";
import { restoreLease } from "./recovery.ts";
import { storeFencedPortions } from "./store/portions.ts";

const TERM_MS = 30_000;
/** What `queueJob` allows a job. */
const MAX_RUN_MS = 600_000;
const HOUR_MS = 3_600_000;
const DOWN_MS = 120_000;

describe("a lease taken up after a restart", () => {
  it("goes on where the stored text ends, with a full term, and counts its whole time", async () => {
    const store = await openCoordinatorStore();
    const jobId = await queueJob(store);
    const before = await claimLease(store, jobId, "miner-1");
    accept(before, "très");
    const portion = takePortion(before);
    await store.operation(storeFencedPortions, [portion.rows]);
    const clock = new TestClock();
    clock.advance(DOWN_MS);
    const [job] = await store.db.selectFrom("coordinator_job").selectAll().execute();
    if (!job) throw new Error("the job is gone");
    const term = { holdMs: TERM_MS, termMs: TERM_MS };
    const after = await restoreLease({ store, clock, meters: BYTES_ONLY }, job, term);
    expect(after.token).toBe(before.token);
    expect(after.termsHash).toBe(before.termsHash);
    expect([after.acceptedBytes, after.storedBytes, after.lastSeq]).toEqual([5, 5, 1]);
    expect(after.outputSha256()).toBe(before.outputSha256());
    // The miner's receipt counts from the offer: five seconds of difference and it would be refused.
    const ranMs = clock.monotonic() - after.grantedAt;
    expect(ranMs).toBeGreaterThanOrEqual(DOWN_MS);
    expect(ranMs).toBeLessThan(DOWN_MS + TERM_MS);
    expect(after.expiresAt - clock.monotonic()).toBeGreaterThan(TERM_MS / 2);
  });

  /** What a job may still run, in ms, when its lease is taken up `ranMs` after its grant by a wall clock set by `setMs`. */
  async function leftOf(ranMs: number, setMs = 0): Promise<number> {
    const store = await openCoordinatorStore();
    await claimLease(store, await queueJob(store), "miner-1");
    const [job] = await store.db.selectFrom("coordinator_job").selectAll().execute();
    const [segment] = await store.db.selectFrom("coordinator_segment").selectAll().execute();
    if (!job || !segment) throw new Error("the job is gone");
    const clock = { now: () => segment.started_at + ranMs + setMs, monotonic: () => 0 };
    const term = { holdMs: TERM_MS, termMs: TERM_MS };
    return (await restoreLease({ store, clock, meters: BYTES_ONLY }, job, term)).leftMs(0);
  }

  it("goes on counting the job's time from the grant, not from the restart", async () => {
    expect(await leftOf(400_000)).toBe(MAX_RUN_MS - 400_000);
  });

  it("ends no job because the wall clock was set forward: two terms are left to come back and end in", async () => {
    expect(await leftOf(10_000, HOUR_MS)).toBe(2 * TERM_MS);
  });

  it("gives no job more than its time because the wall clock was set back", async () => {
    expect(await leftOf(10_000, -HOUR_MS)).toBe(MAX_RUN_MS);
  });
});
