import { canonicalize } from "../../crypto/canonical-json.ts";
import { sha256, sha256Hex } from "../../crypto/hash.ts";
import type { Bus } from "../../kernel/bus.ts";
import type { Clock } from "../../kernel/clock.ts";
import { AppError } from "../../kernel/errors.ts";
import type { Ids } from "../../kernel/ids.ts";
import type { BusEvents } from "../../wire/events.ts";
import type { JobSubmission, JobView } from "../../wire/jobs.ts";
import type { CoordinatorConfig } from "./config.ts";
import type { Store } from "./ports.ts";
import { type Requirements, toNeed } from "./requirements.ts";
import { takeIdempotencyKey } from "./store/idempotency.ts";
import { insertJob } from "./store/jobs.ts";
import type { JobTable } from "./tables.ts";
import { toJobView } from "./views.ts";

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

/** Status of the answer to a new job. */
const CREATED = 201;

/** Takes jobs in: a submission is answered when its row, its place in the queue and its key are on disk. */
export class Intake {
  readonly #store: Store;
  readonly #bus: Bus<BusEvents>;
  readonly #clock: Clock;
  readonly #ids: Ids;
  readonly #config: CoordinatorConfig;
  readonly #requirements: Requirements;
  readonly #queued: () => number;

  constructor(options: {
    store: Store;
    bus: Bus<BusEvents>;
    clock: Clock;
    ids: Ids;
    config: CoordinatorConfig;
    requirements: Requirements;
    /** Number of jobs that wait now. */
    queued: () => number;
  }) {
    this.#store = options.store;
    this.#bus = options.bus;
    this.#clock = options.clock;
    this.#ids = options.ids;
    this.#config = options.config;
    this.#requirements = options.requirements;
    this.#queued = options.queued;
  }

  /**
   * Stores a job.
   * @throws AppError INVALID_PAYLOAD, LIMIT_EXCEEDED, IDEMPOTENCY_MISMATCH
   */
  async submit(clientId: string, submission: JobSubmission, idempotency?: Idempotency): Promise<Submitted> {
    this.#admit(submission);
    const need = toNeed(submission, this.#config.price_uait_per_million_units);
    const requirementId = await this.#requirements.intern(need);
    const job = this.#createJob(clientId, submission, requirementId);
    const view: JobView = toJobView(job);
    const text = JSON.stringify(view);
    const earlier = await this.#store.operation(async (tx) => {
      const held =
        idempotency &&
        (await takeIdempotencyKey(tx, {
          slot: slotOf(clientId, idempotency),
          body_sha256: idempotency.bodySha256,
          status: CREATED,
          response: text,
          created_at: job.requested_at,
        }));
      if (!held) await insertJob(tx, job);
      return held;
    });
    if (!earlier) {
      this.#bus.emit("job.queued", { job_id: job.job_id, requirement_id: requirementId });
      return { status: CREATED, text, replayed: false };
    }
    if (earlier.body_sha256 !== idempotency?.bodySha256) {
      throw new AppError(
        "IDEMPOTENCY_MISMATCH",
        "this Idempotency-Key was used with another body; use a new one",
      );
    }
    return { status: earlier.status, text: earlier.response, replayed: true };
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
    if (this.#queued() >= this.#config.max_queued_jobs) {
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
      job_id: this.#ids.next(),
      client_id: clientId,
      kind: payload.type,
      model: payload.model ?? null,
      // Canonical, so that its hash is the request hash of every receipt of the job.
      payload: canonicalize(payload),
      constraints: JSON.stringify(submission.constraints ?? {}),
      requirement_id: requirementId,
      priority: submission.priority,
      state: "QUEUED",
      token: 0,
      attempts: 0,
      max_attempts: submission.max_attempts,
      max_run_ms: submission.max_run_seconds * 1000,
      run_ms: 0,
      instance: null,
      miner_id: null,
      requested_at: now,
      expires_at: now + submission.ttl_seconds * 1000,
      started_at: null,
      completed_at: null,
      delivered_bytes: 0,
      last_seq: 0,
      settled_units: 0,
      unit_price: this.#config.price_uait_per_million_units,
      price_uait: 0n,
      finish_reason: null,
      usage: null,
      error: null,
    };
  }
}

/** Bytes of a key's hash that are kept: nobody finds a second call with the same 128 bits, and the index is half as large. */
const SLOT_BYTES = 16;

/** What a key is stored by. The parts are written as JSON, so that no two calls give the same text. */
function slotOf(clientId: string, { method, path, key }: Idempotency): Uint8Array {
  return sha256(JSON.stringify([clientId, method, path, key])).subarray(0, SLOT_BYTES);
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
