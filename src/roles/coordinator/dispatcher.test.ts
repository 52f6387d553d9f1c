import { describe, expect, it, vi } from "vitest";
import type { z } from "zod";
import { IDENTITY, openCoordinatorStore, queueJob } from "../../../test/harness/coordinator-store.ts";
import { canonicalizeSigned } from "../../crypto/canonical-json.ts";
import { BYTES_ONLY } from "../../domain/job/meters.ts";
import { createBus } from "../../kernel/bus.ts";
import { createSystemClock } from "../../kernel/clock.ts";
import { AppError } from "../../kernel/errors.ts";
import { createIds, systemRandomBytes } from "../../kernel/ids.ts";
import { createLog } from "../../kernel/log.ts";
import { createMetrics } from "../../kernel/metrics.ts";
import type { BusEvents } from "../../wire/events.ts";
import { JobSubmission } from "../../wire/jobs.ts";
import { CoordinatorConfig } from "./config.ts";
import { Dispatcher } from "./dispatcher.ts";
import { IdempotencyKeys } from "./idempotency-keys.ts";
import { Intake, toIdempotency } from "./intake.ts";
import { Leases } from "./leases.ts";
import { MinerHealth } from "./miner-health.ts";
import type { MinerLink } from "./miner-link.ts";
import type { Store } from "./ports.ts";
import { createQueueing } from "./queueing.ts";
import { Requirements, toNeed } from "./requirements.ts";
import { findSegment } from "./store/delivery.ts";
import { findJob } from "./store/jobs.ts";
import { findPlace } from "./store/queue.ts";

const MINERS = 40;

/** A registered miner with nothing to do, which notes what it is offered. */
class IdleMiner implements MinerLink {
  readonly keyId = "key";
  readonly open = true;
  readonly draining = false;
  readonly continues = true;
  readonly seenAt = 0;
  readonly leases: MinerLink["leases"] = new Map();
  readonly profile: MinerLink["profile"];
  claiming = 0;
  readonly #searched = Promise.withResolvers<void>();

  constructor(minerId: string, slots = 1) {
    const model = { name: "test", digest: "", context_tokens: 4096, engine: "test", tokens_per_second: null };
    this.profile = {
      minerId,
      name: minerId,
      region: null,
      payout: null,
      slots,
      capabilities: {
        gpus: [],
        cuda: null,
        cpu: { name: "test", cores: 1 },
        memory_mb: 1024,
        models: [{ ...model, features: ["text"] }],
        price: null,
      },
    };
  }

  get minerId(): string {
    return this.profile.minerId;
  }

  get freeSlots(): number {
    return this.profile.slots - this.leases.size - this.claiming;
  }

  /** Resolves when the dispatcher has stopped searching for it. */
  get searched(): Promise<void> {
    return this.#searched.promise;
  }

  /** Jobs whose leases were revoked, with the frame that said so. */
  readonly revoked: string[] = [];

  offer(lease: Parameters<MinerLink["offer"]>[0]): void {
    this.leases.set(lease.jobId, lease);
    lease.holder = this;
  }

  revoke(lease: Parameters<MinerLink["offer"]>[0], frame: string): void {
    this.leases.delete(lease.jobId);
    this.revoked.push(frame);
  }

  finishDrain(): void {
    this.#searched.resolve();
  }

  acknowledge(): void {}
  close(): void {}
}

async function open(settings: z.input<typeof CoordinatorConfig> = {}) {
  const database = await openCoordinatorStore();
  let operations = 0;
  let isBroken = false;
  let disk: Promise<void> = Promise.resolve();
  const store: Store = {
    db: database.db,
    operation(body, ...args) {
      operations++;
      if (isBroken) return Promise.reject(new AppError("STORAGE_UNAVAILABLE", "broken by the test"));
      return database.operation(body, ...args).finally(() => disk);
    },
  };
  const clock = createSystemClock();
  const requirements = new Requirements(store, clock);
  const submission = JobSubmission.parse({ payload: { type: "inference", model: "test", prompt: "hello" } });
  // The class that `queueJob` names.
  expect(await requirements.intern(toNeed(submission, 0))).toBe(1);
  const config = CoordinatorConfig.parse(settings);
  const health = new MinerHealth(clock);
  const leases = new Leases();
  const queueing = createQueueing({ store, clock, metrics: createMetrics() }, config, {
    requirements,
    health,
    leases,
    links: () => dispatcher.sessions.values(),
    hasRoom: (client) => dispatcher.hasRoom(client),
  });
  const dispatcher = new Dispatcher({
    store,
    clock,
    ...queueing,
    random: systemRandomBytes,
    log: createLog({ level: "silent", format: "json", terminal: false }),
    config,
    meters: BYTES_ONLY,
    health,
    leases,
    backlog: { queued: MINERS },
    instance: "test",
    coordinatorId: IDENTITY.id,
  });
  const intake = new Intake({
    store,
    keys: new IdempotencyKeys(store),
    clock,
    ...queueing,
    bus: createBus<BusEvents>(() => {}),
    ids: createIds(clock),
    config,
    requirements,
    backlog: { queued: 0 },
    takeAtOnce: (job) => dispatcher.takeAtOnce(job),
  });
  /** Submits a job; its state once it is stored. */
  const submit = async (key?: string): Promise<string> => {
    const call = toIdempotency(key, "POST", "/v1/jobs", "{}");
    const { text } = await intake.submit("client-1", submission, call);
    // The coordinator has written it.
    const { job_id } = JSON.parse(text) as { job_id: string };
    const row = await findJob(database.db, job_id);
    const isQueued = (await findPlace(database.db, job_id)) !== undefined;
    // Whatever waits is in the queue, and nothing else is.
    expect(isQueued).toBe(row?.state === "QUEUED");
    return row?.state ?? "";
  };
  operations = 0;
  const breakStore = (broken: boolean): void => {
    isBroken = broken;
  };
  /** Lets operations end when the returned function was called, and no sooner. */
  const stallDisk = (): (() => void) => {
    const { promise, resolve } = Promise.withResolvers<void>();
    disk = promise;
    return resolve;
  };
  return { database, dispatcher, submit, breakStore, stallDisk, operations: () => operations };
}

describe("many idle miners", () => {
  it("that find the same job each get one, in one operation each", async () => {
    const { database, dispatcher, operations } = await open();
    for (let job = 0; job < MINERS; job++) await queueJob(database, String(job).padStart(32, "0"));
    const miners = Array.from({ length: MINERS }, (_, index) => new IdleMiner(`miner-${index}`));
    for (const miner of miners) dispatcher.add(miner);
    dispatcher.nudgeAll();
    await Promise.all(miners.map(({ searched }) => searched));
    const jobs = new Set(miners.flatMap(({ leases }) => [...leases.keys()]));
    expect(jobs.size).toBe(MINERS);
    expect(operations()).toBe(MINERS);
  });

  it("do not trouble the writer when there is nothing for them", async () => {
    const { dispatcher, operations } = await open();
    const miners = Array.from({ length: MINERS }, (_, index) => new IdleMiner(`miner-${index}`));
    for (const miner of miners) dispatcher.add(miner);
    dispatcher.nudgeAll();
    await Promise.all(miners.map(({ searched }) => searched));
    expect(operations()).toBe(0);
  });
});

describe("a job that is submitted while a miner has a free slot", () => {
  it("is stored with its lease in one operation, and never waits", async () => {
    const { database, dispatcher, submit, operations } = await open();
    const miner = new IdleMiner("miner", 2);
    dispatcher.add(miner);
    expect(await submit()).toBe("RUNNING");
    // The first one has brought its class of needs as well.
    const before = operations();
    expect(await submit()).toBe("RUNNING");
    expect(operations()).toBe(before + 1);
    const [lease] = miner.leases.values();
    const segment = await findSegment(database.db, lease?.jobId ?? "", 1);
    expect(segment).toMatchObject({ miner_id: "miner", terms: canonicalizeSigned({ ...lease?.terms }) });
    expect(miner.claiming).toBe(0);
    expect(await submit()).toBe("QUEUED");
  });

  it("waits behind what the miner could run instead", async () => {
    const { dispatcher, submit } = await open();
    expect(await submit()).toBe("QUEUED");
    dispatcher.add(new IdleMiner("miner", 4));
    expect(await submit()).toBe("QUEUED");
  });

  it("waits while its client runs as many as it may", async () => {
    const { dispatcher, submit } = await open({ max_running_per_client: 2 });
    dispatcher.add(new IdleMiner("miner", 4));
    // All at once: those on their way to the disk count too.
    const states = await Promise.all([submit(), submit(), submit()]);
    expect(states.toSorted()).toEqual(["QUEUED", "RUNNING", "RUNNING"]);
  });

  it("waits once no dispatching goes on", async () => {
    const { dispatcher, submit } = await open();
    dispatcher.add(new IdleMiner("miner"));
    dispatcher.close();
    expect(await submit()).toBe("QUEUED");
  });

  it("takes one slot however often its key comes, and gives back what it does not need", async () => {
    const { dispatcher, submit } = await open();
    const miner = new IdleMiner("miner", 4);
    dispatcher.add(miner);
    expect(await Promise.all([submit("key"), submit("key"), submit("key")])).toEqual(
      Array(3).fill("RUNNING"),
    );
    expect([miner.leases.size, miner.claiming, miner.freeSlots]).toEqual([1, 0, 3]);
  });

  it("is offered while it is being stored, unless another call may hold its key", async () => {
    const { dispatcher, submit, stallDisk, operations } = await open();
    const miner = new IdleMiner("miner", 4);
    dispatcher.add(miner);
    await submit();
    const before = operations();
    const release = stallDisk();
    const submitting = [submit(), submit("key")];
    await vi.waitUntil(() => operations() === before + 2);
    await new Promise(setImmediate);
    expect([miner.leases.size, miner.claiming]).toEqual([2, 1]);
    release();
    expect(await Promise.all(submitting)).toEqual(["RUNNING", "RUNNING"]);
    expect([miner.leases.size, miner.claiming]).toEqual([3, 0]);
  });

  it.each([
    ["and its miner is told that there is none", undefined, ["fenced"]],
    ["which nobody had heard of", "key", []],
  ])("gives its slot back when it cannot be stored, %s", async (_, key, revoked) => {
    const { dispatcher, submit, breakStore } = await open({ max_running_per_client: 2 });
    const miner = new IdleMiner("miner", 2);
    dispatcher.add(miner);
    expect(await submit()).toBe("RUNNING");
    breakStore(true);
    await expect(submit(key)).rejects.toMatchObject({ code: "STORAGE_UNAVAILABLE" });
    expect([miner.leases.size, miner.claiming, miner.revoked]).toEqual([1, 0, revoked]);
    breakStore(false);
    expect(await submit()).toBe("RUNNING");
  });
});
