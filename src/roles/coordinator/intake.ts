import { canonicalize } from "../../crypto/canonical-json.ts";
import { sha256Hex, sha256Latin1 } from "../../crypto/hash.ts";
import { answerFormat } from "../../domain/job/answer.ts";
import type { Bus } from "../../kernel/bus.ts";
import type { Clock } from "../../kernel/clock.ts";
import { AppError } from "../../kernel/errors.ts";
import type { Ids } from "../../kernel/ids.ts";
import type { BusEvents } from "../../wire/events.ts";
import type { JobPayload, JobSubmission } from "../../wire/jobs.ts";
import type { PrefixAffinity } from "./affinity.ts";
import type { CoordinatorConfig } from "./config.ts";
import type { TakenAtOnce } from "./dispatcher.ts";
import type { FairShare } from "./fair-share.ts";
import type { IdempotencyKeys } from "./idempotency-keys.ts";
import type { Backlog } from "./leases.ts";
import type { QueueMetrics } from "./metrics.ts";
import type { Store } from "./ports.ts";
import type { QueueViews } from "./queue-view.ts";
import { type Requirements, toNeed } from "./requirements.ts";
import type { Holder, Slot, TakenKey } from "./store/idempotency.ts";
import type { NewJob } from "./store/jobs.ts";
import { storeSubmission, storeTakenSubmission } from "./store/submissions.ts";
import type { JobTable } from "./tables.ts";
import { toJobView } from "./views.ts";
import type { WaitTimes } from "./wait-times.ts";

/** What a call with an Idempotency-Key is known by. */
export interface Idempotency {
  readonly key: string;
  readonly method: string;
  readonly path: string;
  /** SHA-256 of the body's text, as hex. */
  readonly bodySha256: string;
}

/** The answer to a submission, as JSON text, so that a repeated call gets the same bytes. */
export interface Submitted {
  readonly status: number;
  readonly text: string;
  readonly replayed: boolean;
}

const MS_PER_SECOND = 1000;
/** Status of the answer to a new job. */
const CREATED = 201;

/**
 * The rest of a job's row when nothing but its submission has happened. With the model and priority of the
 * submission it turns a job back into what the first answer showed, so that no answer need be stored.
 */
const UNTOUCHED = {
  state: "QUEUED",
  token: 0,
  attempts: 0,
  run_ms: 0,
  instance: null,
  miner_id: null,
  started_at: null,
  completed_at: null,
  delivered_bytes: 0,
  last_seq: 0,
  settled_units: 0,
  price_uait: 0n,
  finish_reason: null,
  usage: null,
  error: null,
} as const satisfies Partial<JobTable>;

/** The answer to a submission. */
const toText = (submitted: JobTable, payload: JobPayload): string =>
  JSON.stringify(toJobView(submitted, undefined, answerFormat(payload)));

/** Takes jobs in: a submission is answered when its row, its place in the queue and its key are on disk. */
export class Intake {
  readonly #store: Store;
  readonly #bus: Bus<BusEvents>;
  readonly #clock: Clock;
  readonly #ids: Ids;
  readonly #config: CoordinatorConfig;
  readonly #requirements: Requirements;
  readonly #fair: FairShare;
  readonly #affinity: PrefixAffinity;
  readonly #queue: QueueViews;
  readonly #waits: WaitTimes;
  readonly #metrics: QueueMetrics;
  readonly #backlog: Backlog;
  readonly #keys: IdempotencyKeys;
  readonly #takeAtOnce: (job: JobTable) => TakenAtOnce | undefined;

  constructor(options: {
    store: Store;
    bus: Bus<BusEvents>;
    clock: Clock;
    ids: Ids;
    config: CoordinatorConfig;
    requirements: Requirements;
    fair: FairShare;
    affinity: PrefixAffinity;
    queue: QueueViews;
    waits: WaitTimes;
    queueMetrics: QueueMetrics;
    backlog: Backlog;
    keys: IdempotencyKeys;
    /** Takes a miner's slot for a job that need not wait. */
    takeAtOnce: (job: JobTable) => TakenAtOnce | undefined;
  }) {
    this.#store = options.store;
    this.#bus = options.bus;
    this.#clock = options.clock;
    this.#ids = options.ids;
    this.#config = options.config;
    this.#requirements = options.requirements;
    this.#fair = options.fair;
    this.#affinity = options.affinity;
    this.#queue = options.queue;
    this.#waits = options.waits;
    this.#metrics = options.queueMetrics;
    this.#backlog = options.backlog;
    this.#keys = options.keys;
    this.#takeAtOnce = options.takeAtOnce;
  }

  /**
   * Stores a job.
   * @throws AppError INVALID_PAYLOAD, LIMIT_EXCEEDED, IDEMPOTENCY_MISMATCH, DEADLINE_UNREACHABLE
   */
  async submit(clientId: string, submission: JobSubmission, idempotency?: Idempotency): Promise<Submitted> {
    this.#admit(submission);
    const need = toNeed(submission, this.#config.price_uait_per_million_units);
    const requirementId = await this.#requirements.intern(need);
    const job = this.#createJob(clientId, submission, requirementId);
    if (submission.deadline_seconds !== undefined) {
      await this.#meet(submission.deadline_seconds, job, clientId, idempotency);
    }
    const key = idempotency && {
      slot: slotOf(clientId, idempotency),
      body_sha256: idempotency.bodySha256,
      job_id: job.job_id,
      priority: job.priority,
      created_at: job.requested_at,
    };
    this.#affinity.enter(job.job_id, clientId, submission.payload);
    const earlier = key
      ? await this.#keys.take(key, (taken) => this.#storeJob(job, taken))
      : await this.#storeJob(job, undefined);
    if (!earlier) {
      this.#waits.submitted(requirementId, maxTokensOf(submission.payload));
      return { status: CREATED, text: toText(job, submission.payload), replayed: false };
    }
    if (earlier.body_sha256 !== idempotency?.bodySha256) {
      throw new AppError(
        "IDEMPOTENCY_MISMATCH",
        "this Idempotency-Key was used with another body; use a new one",
      );
    }
    // The column holds the text of a payload that was checked when the job was submitted.
    const payload = JSON.parse(earlier.job.payload) as JobPayload;
    const submitted = {
      ...earlier.job,
      ...UNTOUCHED,
      model: payload.model ?? null,
      priority: earlier.priority,
    };
    return { status: CREATED, text: toText(submitted, payload), replayed: true };
  }

  /** Stores a job: a miner takes it at once, or it waits. Returns what holds its key, if that is taken. */
  async #storeJob(job: JobTable, key: TakenKey | undefined): Promise<Holder | undefined> {
    const taken = this.#takeAtOnce(job);
    return taken ? this.#storeTaken(job, key, taken) : this.#storeWaiting(job, key);
  }

  async #storeTaken(
    job: JobTable,
    key: TakenKey | undefined,
    { grant, offer, end }: TakenAtOnce,
  ): Promise<Holder | undefined> {
    let isStored = false;
    try {
      const storing = this.#store.operation(storeTakenSubmission, toNewJob(job), grant, key);
      // No other call can hold it up: its miner begins meanwhile, and what it delivers is written after the job.
      if (!key) offer();
      const earlier = await storing;
      isStored = !earlier;
      return earlier;
    } finally {
      end(isStored);
    }
  }

  async #storeWaiting(job: JobTable, key: TakenKey | undefined): Promise<Holder | undefined> {
    const { job_id, requirement_id } = job;
    const place = this.#fair.enter(job);
    let earlier: Holder | undefined;
    let isStored = false;
    try {
      earlier = await this.#store.operation(storeSubmission, toNewJob(job), place, key);
      isStored = !earlier;
    } finally {
      if (!isStored) this.#fair.withdraw({ ...job, ...place });
    }
    if (isStored) {
      // Before anybody hears of it: a miner does not look where nothing waits.
      this.#backlog.queued++;
      this.#bus.emit("job.queued", { job_id, requirement_id });
    }
    return earlier;
  }

  /**
   * Refuses a job that will more likely than not wait longer than it may. Where nobody can tell, it is let in: it
   * expires at its deadline. A repeated call is answered as the first was.
   * @throws AppError DEADLINE_UNREACHABLE
   */
  async #meet(
    seconds: number,
    job: JobTable,
    clientId: string,
    idempotency: Idempotency | undefined,
  ): Promise<void> {
    const { position, estimate } = await this.#queue.foresee(job);
    const waitMs = job.expires_at - job.requested_at;
    if ("unknown" in estimate || estimate.p50 <= waitMs) return;
    if (idempotency && (await this.#keys.isTaken(slotOf(clientId, idempotency)))) return;
    this.#metrics.refused();
    const late = Math.ceil((estimate.p50 - waitMs) / MS_PER_SECOND);
    throw new AppError(
      "DEADLINE_UNREACHABLE",
      `a miner would begin in about ${(estimate.p50 / MS_PER_SECOND).toFixed(1)} s (position ${position}), after the deadline of ${seconds} s; try again later or allow more time`,
      {
        meta: {
          position,
          eta_p50_ms: estimate.p50,
          eta_p90_ms: estimate.p90,
          deadline_ms: Math.round(seconds * MS_PER_SECOND),
          retry_after_seconds: Math.max(1, late),
        },
      },
    );
  }

  #admit(submission: JobSubmission): void {
    if (submission.payment_amount) {
      throw new AppError(
        "INVALID_PAYLOAD",
        "/payment_amount: this coordinator takes no payments; leave it out",
        {
          meta: { pointer: "/payment_amount" },
        },
      );
    }
    if (this.#backlog.queued >= this.#config.max_queued_jobs) {
      throw new AppError(
        "LIMIT_EXCEEDED",
        `${this.#config.max_queued_jobs} jobs wait already; try again later`,
      );
    }
  }

  #createJob(clientId: string, submission: JobSubmission, requirementId: number): JobTable {
    const now = this.#clock.now();
    const { payload } = submission;
    return {
      ...UNTOUCHED,
      job_id: this.#ids.next(),
      client_id: clientId,
      kind: payload.type,
      model: payload.model ?? null,
      // Canonical, so that its hash is the request hash of every receipt of the job.
      payload: canonicalize(payload),
      constraints: JSON.stringify(submission.constraints ?? {}),
      requirement_id: requirementId,
      priority: submission.priority,
      max_attempts: submission.max_attempts,
      max_run_ms: submission.max_run_seconds * 1000,
      requested_at: now,
      expires_at: now + toWaitMs(submission),
      unit_price: this.#config.price_uait_per_million_units,
    };
  }
}

/** What a submission writes of a job's row: the rest has its first value in the statement. */
function toNewJob(job: JobTable): NewJob {
  const { job_id, client_id, kind, model, payload, constraints, requirement_id, priority } = job;
  const { max_attempts, max_run_ms, requested_at, expires_at, unit_price } = job;
  const what = { job_id, client_id, kind, model, payload, constraints, requirement_id, priority };
  return { ...what, max_attempts, max_run_ms, requested_at, expires_at, unit_price };
}

/** Longest answer that a payload asks for, in tokens. */
const maxTokensOf = (payload: JobPayload): number | undefined =>
  payload.type === "inference" ? payload.max_tokens : undefined;

/** How long a job may wait for its first claim. */
function toWaitMs({ ttl_seconds: ttl, deadline_seconds: deadline = ttl }: JobSubmission): number {
  return Math.round(Math.min(ttl, deadline) * MS_PER_SECOND);
}

/** Bytes of a key's hash that are kept: nobody finds a second call with the same 128 bits. */
const SLOT_BYTES = 16;

/** What a key is stored by. The parts are written as JSON, so that no two calls give the same text. */
function slotOf(clientId: string, { method, path, key }: Idempotency): Slot {
  return sha256Latin1(JSON.stringify([clientId, method, path, key])).slice(0, SLOT_BYTES);
}

/** Reads an Idempotency-Key's call; undefined without a key. */
export function toIdempotency(
  key: string | undefined,
  method: string,
  path: string,
  bodyText: string,
): Idempotency | undefined {
  return key === undefined ? undefined : { key, method, path, bodySha256: sha256Hex(bodyText) };
}
