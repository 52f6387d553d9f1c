import { AppError } from "../errors.ts";
import { Operation, type Work } from "./operation.ts";
import type { Writer } from "./writer.ts";

/** Bounds of one physical transaction: past either, the rest waits for the next one. */
export interface BatchBounds {
  readonly maxOperations: number;
  /** Milliseconds from BEGIN to COMMIT, during which the process does nothing else. */
  readonly maxMs: number;
}

/** Enough for one flush to serve every caller that waits, little enough to keep other work going. */
export const BATCH_BOUNDS: BatchBounds = { maxOperations: 512, maxMs: 10 };
/** Operations that may wait; more callers are refused at once instead of waiting for seconds. */
export const MAX_QUEUED = 16_384;

/** Operations that run together in the bulk form of their body: about a millisecond of the writer's time. */
const MAX_TOGETHER = 64;

/** What a caller hears whose operation cannot wait too. */
export const tooManyQueued = (): AppError =>
  new AppError("LIMIT_EXCEEDED", "too many writes are waiting", { meta: { queued: MAX_QUEUED } });

/** One finished batch. */
export interface BatchReport {
  readonly operations: number;
  /** Milliseconds of the COMMIT alone, which is mostly the flush. */
  readonly commitMs: number;
  readonly totalMs: number;
}

export interface GroupCommitOptions {
  readonly bounds: BatchBounds;
  /** Called once, when the storage failed. Nothing runs afterwards. */
  readonly onFatal: (error: AppError) => void;
  readonly onBatch: (report: BatchReport) => void;
}

/**
 * Runs queued operations in batches: one physical transaction. Savepoints cost a copy of every page that an
 * operation changes, and are needed only to undo one that fails, which is rare: a batch runs without them, and
 * when an operation fails it is undone whole and runs again with one for each. For the same reason operations that
 * wait behind one another with one body run together in its bulk form, where it has one. Callers hear of success and
 * of failure only after COMMIT returned, since a refusal may rest on a neighbour's row.
 */
export class GroupCommit {
  readonly #writer: Writer;
  readonly #options: GroupCommitOptions;
  readonly #queue: Operation[] = [];
  #running: Operation | undefined;
  #interrupted = false;
  #scheduled = false;
  #failure: AppError | undefined;
  #closing: { readonly error: AppError; readonly drained: PromiseWithResolvers<void> } | undefined;

  constructor(writer: Writer, options: GroupCommitOptions) {
    this.#writer = writer;
    this.#options = options;
  }

  get queued(): number {
    return this.#queue.length;
  }

  /** Queues work for the next batch. One of the two is called when its outcome is known, in the turn of its COMMIT. */
  add(work: Work, resolve: (value: unknown) => void, reject: (error: unknown) => void): void {
    const refusal = this.#failure ?? this.#closing?.error ?? this.#fullError();
    if (refusal !== undefined) {
      reject(refusal);
      return;
    }
    this.#queue.push(new Operation(work, resolve, reject));
    this.#schedule();
  }

  /** Refuses new operations and waits for those already queued. */
  close(): Promise<void> {
    if (this.#closing === undefined) {
      const error = new AppError("SHUTTING_DOWN", "the database is closing");
      this.#closing = { error, drained: Promise.withResolvers() };
      if (!this.#scheduled) this.#closing.drained.resolve();
    }
    return this.#closing.drained.promise;
  }

  /** Stops everything for good: the storage failed. Later calls do nothing. */
  fail(cause: unknown): void {
    if (this.#failure !== undefined) return;
    const code = cause instanceof AppError ? cause.code : "";
    this.#failure = new AppError("STORAGE_UNAVAILABLE", "the storage failed", { cause, meta: { code } });
    for (const waiting of this.#queue.splice(0)) waiting.reject(this.#failure);
    this.#options.onFatal(this.#failure);
  }

  #fullError(): AppError | undefined {
    return this.#queue.length < MAX_QUEUED ? undefined : tooManyQueued();
  }

  /** An immediate runs after all ready input was read, so that everything it brought joins one batch. */
  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => void this.#run());
  }

  async #run(): Promise<void> {
    const startedAt = performance.now();
    if (this.#begin()) this.#commit(await this.#runBatch(startedAt + this.#options.bounds.maxMs), startedAt);
    this.#scheduled = false;
    if (this.#queue.length > 0) this.#schedule();
    else this.#closing?.drained.resolve();
  }

  #begin(): boolean {
    if (this.#failure !== undefined) return false;
    try {
      this.#writer.begin();
      return true;
    } catch (cause) {
      const error = new AppError("STORAGE_UNAVAILABLE", "the database cannot be written now", { cause });
      for (const waiting of this.#queue.splice(0)) waiting.reject(error);
      if (this.#writer.failure !== undefined) this.fail(this.#writer.failure);
      return false;
    }
  }

  /** Runs the bodies of a batch in the open transaction; those that have begun. */
  async #runBatch(deadline: number): Promise<readonly Operation[]> {
    const batch: Operation[] = [];
    await this.#runBodies(batch, deadline, false);
    const undone =
      batch.some(({ failed }) => failed) && this.#failure === undefined && this.#writer.restart();
    if (!undone) return batch;
    // A body that awaited something else than SQL is refused for good: by now that may have come.
    const refused = batch.filter(({ abandoned }) => abandoned);
    const others = batch.filter(({ abandoned }) => !abandoned);
    this.#queue.unshift(...others.map((operation) => operation.again()));
    const again: Operation[] = [];
    await this.#runBodies(again, deadline, true);
    return [...refused, ...again];
  }

  /** Takes operations from the queue and runs them: until one fails, or each alone in a savepoint of its own. */
  async #runBodies(batch: Operation[], deadline: number, savepoints: boolean): Promise<void> {
    let watch = setImmediate(() => this.#interrupt());
    const rearm = (): void => {
      clearImmediate(watch);
      watch = setImmediate(() => this.#interrupt());
    };
    const { maxOperations } = this.#options.bounds;
    while (batch.length < maxOperations && this.#failure === undefined) {
      const operations = this.#take(savepoints ? 1 : Math.min(MAX_TOGETHER, maxOperations - batch.length));
      const together = Operation.together(operations);
      if (together === undefined) break;
      batch.push(...operations);
      if (await this.#runBody(together, savepoints)) rearm();
      if (operations.length > 1) together.share(operations);
      if (!savepoints && together.failed) break;
      if (this.#writer.failure !== undefined || performance.now() >= deadline) break;
    }
    clearImmediate(watch);
  }

  /** The next operation, and up to `most` in all that can run together with it. */
  #take(most: number): Operation[] {
    const operations = this.#queue.splice(0, 1);
    const { body, inBulk } = operations[0]?.work ?? {};
    if (!inBulk) return operations;
    let more = 0;
    while (more < most - 1 && this.#queue[more]?.work.body === body) more++;
    return operations.concat(this.#queue.splice(0, more));
  }

  /** Resolves after the body ended and its savepoint is released or rolled back; true if it was interrupted. */
  #runBody(operation: Operation, savepoint: boolean): Promise<boolean> {
    return new Promise((resolve) => {
      this.#running = operation;
      this.#interrupted = false;
      if (savepoint) this.#writer.savepoint();
      operation.start(this.#writer.execute, () => {
        this.#running = undefined;
        if (savepoint && operation.failed) this.#writer.rollbackToSavepoint();
        else if (savepoint) this.#writer.releaseSavepoint();
        resolve(this.#interrupted);
      });
    });
  }

  /**
   * A batch runs wholly in microtasks. When an immediate fires while a body is pending, that body awaits
   * something that is not SQL, and everybody else would wait with it.
   */
  #interrupt(): void {
    this.#interrupted = true;
    this.#running?.abandon(
      new AppError("STORAGE_MISUSE", "the body of an operation awaited something that is not SQL"),
    );
  }

  #commit(batch: readonly Operation[], startedAt: number): void {
    const commitAt = performance.now();
    if (this.#failure === undefined) this.#writer.commit();
    const failure = this.#failure ?? this.#writer.failure;
    if (failure !== undefined) {
      this.#writer.abandon();
      const unknown = new AppError("OUTCOME_UNKNOWN", "the storage failed while this was written", {
        cause: failure,
      });
      for (const operation of batch) operation.reject(unknown);
      this.fail(failure);
      return;
    }
    for (const operation of batch) operation.settle();
    const now = performance.now();
    this.#options.onBatch({ operations: batch.length, commitMs: now - commitAt, totalMs: now - startedAt });
  }
}
