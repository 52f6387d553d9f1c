import { describe, expect, it } from "vitest";
import { committedJob, openCoordinatorStore } from "../../../test/harness/coordinator-store.ts";
import { codeOf } from "../../../test/harness/database.ts";
import { createBus } from "../../kernel/bus.ts";
import { createSystemClock } from "../../kernel/clock.ts";
import { createMetrics } from "../../kernel/metrics.ts";
import type { BusEvents } from "../../wire/events.ts";
import { JobSubmission, JobView } from "../../wire/jobs.ts";
import { CoordinatorConfig } from "./config.ts";
import { IdempotencyKeys } from "./idempotency-keys.ts";
import { Intake, toIdempotency } from "./intake.ts";
import { Leases } from "./leases.ts";
import { MinerHealth } from "./miner-health.ts";
import { createQueueing } from "./queueing.ts";
import { Requirements } from "./requirements.ts";
import { grantLease } from "./store/claims.ts";
import { markLeaseEnded, raisePriority } from "./store/jobs.ts";

const BODY = JSON.stringify({ payload: { type: "inference", prompt: "hello" } });
const SUBMISSION = JobSubmission.parse(JSON.parse(BODY));
const keyed = (key: string, body = BODY) => toIdempotency(key, "POST", "/v1/jobs", body);
const idOf = (text: string): string => JobView.parse(JSON.parse(text)).job_id;

/** An intake that gives out these ids, one after the other. */
async function openIntake(...ids: readonly string[]) {
  const store = await openCoordinatorStore();
  const clock = createSystemClock();
  const waiting = [...ids];
  const config = CoordinatorConfig.parse({});
  const requirements = new Requirements(store, clock);
  const intake = new Intake({
    store,
    bus: createBus<BusEvents>(() => {}),
    clock,
    ids: { next: () => waiting.shift() ?? "f".repeat(32) },
    config,
    ...createQueueing({ store, clock, metrics: createMetrics() }, config, {
      requirements,
      health: new MinerHealth(clock),
      leases: new Leases(),
      links: () => [],
      hasRoom() {},
    }),
    requirements,
    backlog: { queued: 0 },
    keys: new IdempotencyKeys(store),
    takeAtOnce: () => undefined,
  });
  return { store, intake };
}

const A = "a".repeat(32);
const B = "b".repeat(32);

describe("a submission with an Idempotency-Key", () => {
  it("is answered again word for word, and runs once", async () => {
    const { intake } = await openIntake(A, B);
    const first = await intake.submit("client-1", SUBMISSION, keyed("k"));
    const again = await intake.submit("client-1", SUBMISSION, keyed("k"));
    expect(again).toEqual({ ...first, replayed: true });
  });

  it("is answered again word for word when its job has moved on", async () => {
    const { store, intake } = await openIntake(A, B);
    const first = await intake.submit("client-1", SUBMISSION, keyed("k"));
    // As claims, deliveries, administrators and settlements change it, all at once.
    await store.operation(async (tx) => {
      expect(await raisePriority(tx, A, 9)).toBe(true);
      const lease = { job_id: A, token: 1, miner_id: "m".repeat(32), instance: "i", now: Date.now() };
      await grantLease(tx, {
        ...lease,
        model: "llama3",
        segment: { start_byte: 0, terms: "{}", decision: null },
      });
      await markLeaseEnded(tx, {
        job_id: A,
        token: 1,
        state: "FAILED",
        ran_ms: 5,
        delivered_bytes: 7,
        last_seq: 1,
        settled_units: 9,
        price_uait: 11n,
        completed_at: Date.now(),
        finish_reason: "stop",
        usage: "{}",
        error: "ENGINE_FAILED: it stopped",
      });
    });
    expect(committedJob(store, A)).toMatchObject({ state: "FAILED", model: "llama3", priority: 9 });
    const again = await intake.submit("client-1", SUBMISSION, keyed("k"));
    expect(again).toEqual({ ...first, replayed: true });
  });

  it("runs once when many come at the same time", async () => {
    const { store, intake } = await openIntake();
    const calls = Array.from({ length: 20 }, () => intake.submit("client-1", SUBMISSION, keyed("k")));
    const answers = await Promise.all(calls);
    expect(new Set(answers.map(({ text }) => text)).size).toBe(1);
    expect(answers.filter(({ replayed }) => !replayed)).toHaveLength(1);
    expect(store.witness.prepare("select count(*) from coordinator_job").pluck().get()).toBe(1);
  });

  it("leaves its key free when the job cannot be stored", async () => {
    const { store, intake } = await openIntake(A, A, B);
    await intake.submit("client-1", SUBMISSION);
    // The second job gets the first one's id: its insertion fails after the key was taken.
    const failing = intake.submit("client-1", SUBMISSION, keyed("k"));
    await expect(failing).rejects.toThrow("UNIQUE constraint failed");
    expect(store.witness.prepare("select count(*) from coordinator_idempotency_key").pluck().get()).toBe(0);
    const retried = await intake.submit("client-1", SUBMISSION, keyed("k"));
    expect(retried.replayed).toBe(false);
    expect(idOf(retried.text)).toBe(B);
    expect(committedJob(store, B)).toMatchObject({ state: "QUEUED" });
  });

  it("is refused with another body, and is another one for another client", async () => {
    const { intake } = await openIntake(A, B);
    await intake.submit("client-1", SUBMISSION, keyed("k"));
    const other = intake.submit("client-1", SUBMISSION, keyed("k", `${BODY} `));
    expect(await codeOf(other)).toBe("IDEMPOTENCY_MISMATCH");
    const foreign = await intake.submit("client-2", SUBMISSION, keyed("k"));
    expect(foreign.replayed).toBe(false);
  });
});
