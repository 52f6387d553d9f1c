import { describe, expect, it } from "vitest";
import { IDENTITY, openCoordinatorStore, queueJob } from "../../../test/harness/coordinator-store.ts";
import { BYTES_ONLY } from "../../domain/job/meters.ts";
import { createSystemClock } from "../../kernel/clock.ts";
import { systemRandomBytes } from "../../kernel/ids.ts";
import { createLog } from "../../kernel/log.ts";
import { createMetrics } from "../../kernel/metrics.ts";
import { JobSubmission } from "../../wire/jobs.ts";
import { CoordinatorConfig } from "./config.ts";
import { Dispatcher } from "./dispatcher.ts";
import { Leases } from "./leases.ts";
import { MinerHealth } from "./miner-health.ts";
import type { MinerLink } from "./miner-link.ts";
import type { Store } from "./ports.ts";
import { createQueueing } from "./queueing.ts";
import { Requirements, toNeed } from "./requirements.ts";

const MINERS = 40;

/** A registered miner with one slot and nothing to do, which notes what it is offered. */
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

  constructor(minerId: string) {
    const model = { name: "test", digest: "", context_tokens: 4096, engine: "test", tokens_per_second: null };
    this.profile = {
      minerId,
      name: minerId,
      region: null,
      payout: null,
      slots: 1,
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
    return 1 - this.leases.size - this.claiming;
  }

  /** Resolves when the dispatcher has stopped searching for it. */
  get searched(): Promise<void> {
    return this.#searched.promise;
  }

  offer(lease: Parameters<MinerLink["offer"]>[0]): void {
    this.leases.set(lease.jobId, lease);
  }

  finishDrain(): void {
    this.#searched.resolve();
  }

  acknowledge(): void {}
  revoke(): void {}
  close(): void {}
}

async function open() {
  const database = await openCoordinatorStore();
  let operations = 0;
  const store: Store = {
    db: database.db,
    operation(body, ...args) {
      operations++;
      return database.operation(body, ...args);
    },
  };
  const clock = createSystemClock();
  const requirements = new Requirements(store, clock);
  const submission = JobSubmission.parse({ payload: { type: "inference", model: "test", prompt: "hello" } });
  // The class that `queueJob` names.
  expect(await requirements.intern(toNeed(submission, 0))).toBe(1);
  const config = CoordinatorConfig.parse({});
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
  operations = 0;
  return { database, dispatcher, operations: () => operations };
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
