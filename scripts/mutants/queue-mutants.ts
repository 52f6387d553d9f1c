import type { Mutant } from "./mutant.ts";

const COORDINATOR = "src/roles/coordinator";
const FLOWS = "test/flows/queue-order.test.ts";

/** Faults of the queue: its order is fair, and what it says of waits is true. */
export const QUEUE: readonly Mutant[] = [
  {
    name: "first-come-first-served",
    breaks: "a client with many jobs does not keep one with few waiting",
    edits: [
      {
        file: "src/domain/job/fair.ts",
        find: "    const key = this.peek(classId, flow);",
        replace: "    const key = this.peek(classId, { ...flow, client: 0 });",
      },
    ],
    check: {
      file: FLOWS,
      test: "jobs of several clients > take turns: one of a client that comes late is not behind a hundred of another",
    },
  },
  {
    name: "turns-by-class",
    breaks: "a client gains nothing by spreading its jobs over many kinds",
    edits: [
      {
        file: `${COORDINATOR}/fair-share.ts`,
        find: "head.order_key === FRONT_KEY ? FRONT_KEY : this.#order.rank(this.flowOf(head))",
        replace: "head.order_key === FRONT_KEY ? FRONT_KEY : 1",
      },
    ],
    check: {
      file: FLOWS,
      test: "jobs of several clients > take turns also where one of them spreads its own over many kinds",
    },
  },
  {
    name: "blocked-jobs-hide-others",
    breaks: "jobs of a client that runs as many as it may do not hold up those behind them",
    edits: [
      {
        file: `${COORDINATOR}/dispatcher.ts`,
        find: "crowding.length > 0 && round <= MAX_PARK_ROUNDS",
        replace: "crowding.length > 0 && round <= 0",
      },
    ],
    check: {
      file: FLOWS,
      test: "jobs of several clients > run no more at once than each client may, and those behind are not held up",
    },
  },
  {
    name: "expected-wait-of-one-slot",
    breaks: "the expected wait is within a factor of two for four of five jobs",
    edits: [
      {
        file: `${COORDINATOR}/wait-times.ts`,
        find: "    const wait = estimateWait(slots, ahead);",
        replace: "    const wait = estimateWait(slots.slice(0, 1), ahead);",
      },
    ],
    check: {
      file: `${COORDINATOR}/wait-times.test.ts`,
      test: "the expected wait of mixed jobs > is within a factor of two of the truth for four of five (seed 1)",
    },
  },
  {
    name: "repeated-call-refused-for-its-deadline",
    breaks: "a repeated call under an Idempotency-Key is answered as the first was",
    edits: [
      {
        file: `${COORDINATOR}/intake.ts`,
        find: "if (idempotency && (await this.#keys.isTaken",
        replace: "if (seconds < 0 && idempotency && (await this.#keys.isTaken",
      },
    ],
    check: {
      file: FLOWS,
      test: "the expected wait > is told with the position, and refuses at once what a deadline does not allow",
    },
  },
  {
    name: "index-passes-a-key-under-way",
    breaks: "an Idempotency-Key is known after a restart, wherever its index had got to",
    edits: [
      {
        file: `${COORDINATOR}/idempotency-keys.ts`,
        find: 'if (indexed.has(part) && typeof recent === "number") continue;',
        replace: 'if (indexed.has(part) || typeof recent !== "number") continue;',
      },
    ],
    check: {
      file: `${COORDINATOR}/idempotency-keys.test.ts`,
      test: "an Idempotency-Key that is taken > is not passed over by the index while it is being stored",
    },
  },
  {
    name: "model-of-an-attempt-forgotten",
    breaks: "a job that named no model is not offered to miners without the one it began with",
    edits: [
      {
        file: `${COORDINATOR}/settlement.ts`,
        find: "this.#requirements.withModel(job.requirement_id, job.model)",
        replace: "this.#requirements.withModel(job.requirement_id, null)",
      },
    ],
    check: {
      file: FLOWS,
      test: "a job that named no model > keeps the one it began with: no miner without it is asked after a failover",
    },
  },
  {
    name: "conversation-forgotten",
    breaks: "a conversation goes back to the miner that holds its beginning",
    edits: [
      {
        file: `${COORDINATOR}/affinity.ts`,
        find: "    for (const key of job.keys) this.#holders.set(key, minerId);",
        replace: "    void minerId;",
      },
    ],
    check: {
      file: FLOWS,
      test: "a conversation > goes back to the miner that holds its beginning, and others do not",
    },
  },
  {
    name: "broken-model-tried-on",
    breaks: "a model that fails on a miner costs no more attempts there",
    edits: [
      {
        file: `${COORDINATOR}/candidates.ts`,
        find: "    if (blocked.length === 0) return profile;",
        replace: "    if (blocked.length >= 0) return profile;",
      },
    ],
    check: {
      file: FLOWS,
      test: "a miner > on which a model fails gets no job for it until one has tried, and others for its other models",
    },
  },
];
