import type { Kysely } from "kysely";
import type { Bus } from "../../kernel/bus.ts";
import type { Clock } from "../../kernel/clock.ts";
import type { RunOperation } from "../../kernel/db/database.ts";
import type { Ids } from "../../kernel/ids.ts";
import type { Log } from "../../kernel/log.ts";
import type { Metrics } from "../../kernel/metrics.ts";
import type { Principal } from "../../wire/access.ts";
import type { BusEvents } from "../../wire/events.ts";
import type { JobEvent } from "../../wire/job-events.ts";
import type { JobSubmission, JobView } from "../../wire/jobs.ts";
import type { KnownModel } from "../../wire/models.ts";
import type { GatewayTables } from "./tables.ts";

/** What a call with an Idempotency-Key is known by. */
export interface CallKey {
  readonly key: string;
  readonly method: string;
  readonly path: string;
  /** SHA-256 of the body's text, as hex. */
  readonly bodySha256: string;
}

/** What the gateway asks of a coordinator. Errors are those of the jobs API. */
export interface CoordinatorPort {
  /**
   * Queues a job; it is on disk when this resolves. The same call under the same key gives the same job again.
   * @throws AppError INVALID_PAYLOAD, LIMIT_EXCEEDED, IDEMPOTENCY_MISMATCH, SHUTTING_DOWN
   */
  submit(
    caller: Principal,
    submission: JobSubmission,
    key?: CallKey,
  ): Promise<{ readonly job: JobView; readonly replayed: boolean }>;
  /**
   * The job's stream from after a sequence number; undefined when it was read to its end. The coordinator holds a
   * page of it, however slowly it is read.
   * @throws AppError JOB_NOT_FOUND, LIMIT_EXCEEDED
   */
  events(
    caller: Principal,
    jobId: string,
    afterSeq: number,
    signal: AbortSignal,
  ): Promise<AsyncGenerator<JobEvent | "keep-alive", void, void> | undefined>;
  /** @throws AppError JOB_NOT_FOUND, CONFLICT_STATE when it has ended */
  cancel(caller: Principal, jobId: string): Promise<JobView>;
  /** The miner that delivered a segment of a job. */
  minerOf(jobId: string, segment: number): Promise<string | undefined>;
  /** The models that miners offer now, by name. */
  listModels(): readonly KnownModel[];
  /** A model by its name; undefined where no miner ever offered it. */
  findModel(name: string): KnownModel | undefined;
  /** Stores an image for the caller's jobs; returns the hex digits of its SHA-256. @throws AppError LIMIT_EXCEEDED */
  putImage(caller: Principal, mediaType: string, bytes: Uint8Array): Promise<string>;
}

/** What files and batches ask of it besides. */
export interface BatchPort extends CoordinatorPort {
  /** Where a job stands now. @throws AppError JOB_NOT_FOUND */
  job(caller: Principal, jobId: string): Promise<JobView>;
  /** How many more jobs of a model would begin at once: miners are idle, and nothing waits for them. */
  room(model: string): number;
  readonly content: ContentPort;
}

/** Content that a coordinator keeps for its owner, under its SHA-256 as hex. */
export interface ContentPort {
  /**
   * Stores what comes; it is on disk when this resolves. What breaks off leaves nothing.
   * @throws AppError INVALID_PAYLOAD (nothing came), PAYLOAD_TOO_LARGE, LIMIT_EXCEEDED, INVALID_ARGUMENT (broke off)
   */
  put(
    caller: Principal,
    mediaType: string,
    openBody: () => ReadableStream<Uint8Array>,
  ): Promise<{ readonly sha256: string; readonly sizeBytes: number; readonly expiresAt: number }>;
  /** @throws AppError ARTIFACT_NOT_FOUND */
  get(caller: Principal, sha256: string): Promise<StoredContent>;
  /** Keeps the caller's content as long as new one: until when (Unix ms). @throws AppError ARTIFACT_NOT_FOUND */
  keep(caller: Principal, sha256: string): Promise<number>;
  /** Gives the caller's content up; that of a job's result stays. */
  drop(caller: Principal, sha256: string): Promise<void>;
}

export interface StoredContent {
  readonly sizeBytes: number;
  /** Bytes from `start` to before `end`, read as they are taken. */
  read(range: { readonly start: number; readonly end: number }): ReadableStream<Uint8Array>;
}

/** The store as the gateway uses it: reads through `db`, writes in operations. */
export interface Store {
  readonly db: Kysely<GatewayTables>;
  readonly operation: RunOperation<Kysely<GatewayTables>>;
}

/** What the gateway needs from its surroundings. */
export interface GatewayDeps {
  readonly coordinator: BatchPort;
  readonly store: Store;
  readonly bus: Bus<BusEvents>;
  readonly ids: Ids;
  readonly metrics: Metrics;
  readonly log: Log;
  readonly clock: Clock;
  /** Aborts when the daemon begins to stop: callers that are cut off then have not gone away. */
  readonly stopping: AbortSignal;
}
