import { AppError } from "../../../kernel/errors.ts";
import type { Principal } from "../../../wire/access.ts";
import {
  BATCH_WINDOW_SECONDS,
  type BatchError,
  type BatchPage,
  type BatchRequest,
  type OpenAiBatch,
} from "../../../wire/openai/batches.ts";
import { type Files, toPage } from "../files/files.ts";
import { toUnixSeconds } from "../openai/shape.ts";
import type { GatewayDeps } from "../ports.ts";
import type { BatchTable } from "../tables.ts";
import type { EndListener, RunDeps } from "./deps.ts";
import { BatchMetrics } from "./metrics.ts";
import { Pump } from "./pump.ts";
import { BatchRun } from "./run.ts";
import {
  addBatch,
  changeBatch,
  findBatch,
  findBatchOn,
  listActive,
  listBatchesWithLines,
  listBatchRows,
} from "./store.ts";
import { deleteAllLines } from "./validate.ts";

const MS_PER_SECOND = 1000;

/** The call that makes a batch, beside its body. */
export interface BatchCallFacts {
  readonly idempotencyKey: string | undefined;
  /** SHA-256 of the body's text, as hex. */
  readonly bodySha256: string;
}

/** Batches as OpenAI's API has them: files of calls, each of which becomes a job when a miner is idle. */
export class Batches {
  readonly #deps: GatewayDeps;
  readonly #files: Files;
  readonly #runDeps: RunDeps;
  readonly #pump: Pump;
  readonly #runs = new Map<string, { readonly run: BatchRun; readonly done: Promise<void> }>();
  readonly #unsubscribe: (() => void)[] = [];
  /** Ends when the input that is being read has been. */
  #reading: Promise<unknown> = Promise.resolve();

  constructor(deps: GatewayDeps, files: Files) {
    this.#deps = deps;
    this.#files = files;
    this.#pump = new Pump((model) => deps.coordinator.room(model));
    const waiting = new Map<string, EndListener>();
    const read = { active: () => this.#runs.size, inFlight: () => waiting.size };
    this.#runDeps = {
      ...deps,
      files,
      waiting,
      pump: this.#pump,
      batchMetrics: new BatchMetrics(deps.metrics, read),
      oneByOne: (work) => this.#oneByOne(work),
    };
  }

  /** Goes on with what an earlier process has begun. */
  async start(): Promise<void> {
    const { bus, store } = this.#deps;
    const nudge = (): void => this.#pump.nudge();
    this.#unsubscribe.push(
      bus.on("job.ended", ({ job_id, state }) => {
        this.#runDeps.waiting.get(job_id)?.ended(job_id, state);
        nudge();
      }),
      bus.on("miner.connected", nudge),
      bus.on("miner.updated", nudge),
    );
    for (const row of await listActive(store.db)) this.#begin(row);
    await this.#deleteLeftLines();
  }

  /** Resolves when no batch is at work any more; `stopping` has ended them. Their jobs outlive the process. */
  async stop(): Promise<void> {
    for (const unsubscribe of this.#unsubscribe) unsubscribe();
    await Promise.all([...this.#runs.values()].map(({ done }) => done));
  }

  /** @throws AppError FILE_NOT_FOUND, INVALID_PAYLOAD, LIMIT_EXCEEDED, IDEMPOTENCY_MISMATCH, SHUTTING_DOWN */
  async create(caller: Principal, request: BatchRequest, facts: BatchCallFacts): Promise<OpenAiBatch> {
    const { store, stopping } = this.#deps;
    if (stopping.aborted) throw new AppError("SHUTTING_DOWN", "the daemon is stopping; try again");
    const file = await this.#files.find(caller, request.input_file_id);
    if (file.purpose !== "batch") {
      throw new AppError("INVALID_PAYLOAD", "/input_file_id: was not uploaded for the purpose batch", {
        meta: { pointer: "/input_file_id", fault: "invalid", what: "was not uploaded for the purpose batch" },
      });
    }
    await this.#files.keep(caller, file);
    const row = this.#toRow(caller, request, facts, file.sha256);
    const stored = await store.operation(addBatch, row);
    if (stored.batch_id === row.batch_id) this.#begin(row);
    else if (stored.body_sha256 !== facts.bodySha256) {
      throw new AppError(
        "IDEMPOTENCY_MISMATCH",
        "this Idempotency-Key was used with another body; use a new one",
      );
    }
    return toOpenAiBatch(stored);
  }

  async get(caller: Principal, batchId: string): Promise<OpenAiBatch> {
    return toOpenAiBatch(await this.#find(caller, batchId));
  }

  async list(caller: Principal, query: { limit: number; after?: string | undefined }): Promise<BatchPage> {
    const rows = await listBatchRows(this.#deps.store.db, {
      ownerId: caller.kind === "admin" ? undefined : caller.owner_id,
      after: query.after,
      limit: query.limit + 1,
    });
    return toPage(rows.slice(0, query.limit).map(toOpenAiBatch), rows.length > query.limit);
  }

  /** Stops a batch; it is over when what runs has been stopped. @throws AppError CONFLICT_STATE when it is over */
  async cancel(caller: Principal, batchId: string): Promise<OpenAiBatch> {
    const { store, clock } = this.#deps;
    const { batch_id } = await this.#find(caller, batchId);
    const change = { status: "cancelling", outcome: "cancelled", cancelling_at: clock.now() } as const;
    const from = ["validating", "in_progress"] as const;
    const changed = await store.operation(changeBatch, batch_id, from, change);
    if (changed) this.#runs.get(batch_id)?.run.cancel();
    const row = changed ?? (await this.#find(caller, batch_id));
    if (row.status === "cancelling" || row.status === "cancelled") return toOpenAiBatch(row);
    throw new AppError("CONFLICT_STATE", `the batch is ${row.status}; there is nothing left to cancel`);
  }

  /** @throws AppError CONFLICT_STATE while a batch works on a file */
  async assertFree(fileId: string): Promise<void> {
    const batch = await findBatchOn(this.#deps.store.db, fileId);
    if (batch === undefined) return;
    throw new AppError("CONFLICT_STATE", `${batch} works on this file; cancel it first, or wait for its end`);
  }

  async #find(caller: Principal, batchId: string): Promise<BatchTable> {
    const owner = caller.kind === "admin" ? undefined : caller.owner_id;
    const row = await findBatch(this.#deps.store.db, batchId, owner);
    if (row) return row;
    throw new AppError("BATCH_NOT_FOUND", `there is no batch ${batchId}`, { meta: { member: "batch_id" } });
  }

  #toRow(
    { owner_id, key_id }: Principal,
    { endpoint, input_file_id, metadata }: BatchRequest,
    { idempotencyKey, bodySha256 }: BatchCallFacts,
    input_sha256: string,
  ): BatchTable {
    const { ids, clock } = this.#deps;
    const created_at = clock.now();
    return {
      batch_id: `batch_${ids.next()}`,
      owner_id,
      key_id,
      idempotency_key: idempotencyKey ?? null,
      body_sha256: bodySha256,
      endpoint,
      input_file_id,
      input_sha256,
      metadata: metadata ? JSON.stringify(metadata) : null,
      created_at,
      expires_at: created_at + BATCH_WINDOW_SECONDS * MS_PER_SECOND,
      ...NEW,
    };
  }

  /** Deletes lines of batches that had ended when an earlier process did, before it deleted them. */
  async #deleteLeftLines(): Promise<void> {
    const { store } = this.#deps;
    for (const id of await listBatchesWithLines(store.db)) {
      if (!this.#runs.has(id)) await deleteAllLines(store, id);
    }
  }

  #begin(row: BatchTable): void {
    const run = new BatchRun(this.#runDeps, row);
    const done = run
      .run()
      .catch((error: unknown) =>
        this.#deps.log.error({ err: error, batch_id: row.batch_id }, "batch stopped"),
      )
      .finally(() => this.#runs.delete(row.batch_id));
    this.#runs.set(row.batch_id, { run, done });
  }

  #oneByOne<T>(work: () => Promise<T>): Promise<T> {
    const next = this.#reading.then(work);
    this.#reading = next.catch(() => {});
    return next;
  }
}

/** The rest of a batch's row when nothing has happened. */
const NEW = {
  model: null,
  status: "validating",
  outcome: null,
  total: 0,
  completed: 0,
  failed: 0,
  output_file_id: null,
  error_file_id: null,
  errors: null,
  in_progress_at: null,
  finalizing_at: null,
  completed_at: null,
  failed_at: null,
  expired_at: null,
  cancelling_at: null,
  cancelled_at: null,
} as const satisfies Partial<BatchTable>;

const toTime = (ms: number | null): number | null => (ms === null ? null : toUnixSeconds(ms));

/** Writes a batch as OpenAI's API does. */
function toOpenAiBatch(row: BatchTable): OpenAiBatch {
  const { completed, failed, total } = row;
  // The columns were written from these.
  const errors = row.errors === null ? null : (JSON.parse(row.errors) as BatchError[]);
  const metadata = row.metadata === null ? null : (JSON.parse(row.metadata) as Record<string, string>);
  return {
    id: row.batch_id,
    object: "batch",
    endpoint: row.endpoint,
    errors: errors && { object: "list", data: errors },
    input_file_id: row.input_file_id,
    completion_window: "24h",
    status: row.status,
    output_file_id: row.output_file_id,
    error_file_id: row.error_file_id,
    created_at: toUnixSeconds(row.created_at),
    in_progress_at: toTime(row.in_progress_at),
    expires_at: toUnixSeconds(row.expires_at),
    finalizing_at: toTime(row.finalizing_at),
    completed_at: toTime(row.completed_at),
    failed_at: toTime(row.failed_at),
    expired_at: toTime(row.expired_at),
    cancelling_at: toTime(row.cancelling_at),
    cancelled_at: toTime(row.cancelled_at),
    request_counts: { total, completed, failed },
    metadata,
    model: row.model,
  };
}
