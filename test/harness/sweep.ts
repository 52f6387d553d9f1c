import { expect } from "vitest";
import type { TestClock } from "./clock.ts";
import type { TestDaemon } from "./daemon.ts";
import { readStream } from "./events.ts";
import { job } from "./jobs.ts";

/** Time to live of the job that shows a sweep, in seconds. */
const TTL_SECONDS = 1;

/**
 * Resolves when the coordinator has looked at all its leases since this call: a job that nobody can run expires
 * in the sweep that looks at them first. Moves the clock forward by a second.
 */
export async function awaitSweep(daemon: TestDaemon, clock: TestClock): Promise<void> {
  const constraints = { region: "nowhere" };
  const { job_id } = await daemon.client.submitJob(job("expires", { constraints, ttl_seconds: TTL_SECONDS }));
  clock.advance(TTL_SECONDS * 1000 + 1);
  const { end } = await readStream(daemon.client, job_id);
  expect(end?.state).toBe("EXPIRED");
}
