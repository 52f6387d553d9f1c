import { isTerminal, type JobState } from "../../../domain/job/state.ts";
import { AppError } from "../../../kernel/errors.ts";
import { isServerFault } from "../../../kernel/http/problem.ts";
import type { Principal } from "../../../wire/access.ts";
import type { BatchError } from "../../../wire/openai/batches.ts";
import { cancelJob } from "../answers.ts";
import type { StoredContent } from "../ports.ts";
import type { BatchLineTable, BatchTable } from "../tables.ts";
import type { EndListener, RunDeps } from "./deps.ts";
import { Finalization } from "./finalization.ts";
import { readRange, toFailedResponse } from "./output.ts";
import type { Pumped } from "./pump.ts";
import { changeBatch, endLine, findBatch, type LineEnd, listLines, markQueued } from "./store.ts";
import { submitLine } from "./submission.ts";
import { deleteAllLines, validate } from "./validate.ts";

/** Jobs of one batch that wait or run at once; where fewer miners are idle it is fewer. */
const MAX_IN_FLIGHT = 256;
/** Lines whose places are kept in memory, and from how few on more are read. */
const LOOKAHEAD = 256;
const REFILL_BELOW = 64;
/** How often a batch looks around without being told to, in ms: whether it is over, and whether a miner is idle. */
const TICK_MS = 1_000;
/** How often jobs are looked at whose end it may have missed, and the input is kept longer, in ms. */
const RECHECK_MS = 60_000;
/** How long a batch rests after a fault that will pass, in ms. */
const RETRY_MS = 5_000;
const SERVER_ERROR = 500;

/** One batch on its way to its end. What it knows is in the rows: a new process goes on from there. */
export class BatchRun implements Pumped, EndListener {
  readonly #deps: RunDeps;
  readonly #id: string;
  readonly #owner: Principal;
  #batch: BatchTable;
  #content: StoredContent | undefined;
  /** Lines that are to become jobs, the last that was read, and whether that was the last one at all. */
  #pending: BatchLineTable[] = [];
  #cursor = 0;
  #isRead = false;
  #refilling: Promise<void> | undefined;
  /** Numbers of the lines whose jobs wait or run, by job. */
  readonly #jobs = new Map<string, number>();
  #submitting = 0;
  #isWorking = false;
  #fault: AppError | undefined;
  /** Before this it submits nothing, on the monotonic clock. */
  #restUntil = 0;
  #canceled = new AbortController();
  #wake = Promise.withResolvers<void>();

  constructor(deps: RunDeps, batch: BatchTable) {
    this.#deps = deps;
    this.#batch = batch;
    this.#id = batch.batch_id;
    this.#owner = { key_id: batch.key_id, kind: "client", owner_id: batch.owner_id };
  }

  get ownerId(): string {
    return this.#owner.owner_id;
  }

  get model(): string {
    return this.#batch.model ?? "";
  }

  get inFlight(): number {
    return this.#jobs.size;
  }

  get ready(): boolean {
    return (
      this.#isWorking &&
      this.#pending.length > 0 &&
      this.#jobs.size + this.#submitting < MAX_IN_FLIGHT &&
      this.#deps.clock.monotonic() >= this.#restUntil &&
      !this.#isOver
    );
  }

  /** Its owner has canceled it, and the row says so. */
  cancel(): void {
    this.#canceled.abort();
    this.#wake.resolve();
  }

  /** A job of it has ended. */
  ended(jobId: string, state: string): void {
    const line = this.#jobs.get(jobId);
    // The bus names states as the domain does.
    if (line !== undefined)
      this.#settle(line, jobId, state as JobState).catch(this.#report("line not ended"));
  }

  /** Runs to the end of the batch, or until the daemon stops. */
  async run(): Promise<void> {
    const { stopping, pump, log } = this.#deps;
    pump.add(this);
    try {
      while (!stopping.aborted) {
        try {
          if (await this.#advance()) return;
        } catch (error) {
          if (stopping.aborted) return;
          log.error({ err: error, batch_id: this.#id }, "batch rests after a fault");
          await this.#pause(RETRY_MS);
        }
      }
    } finally {
      this.#isWorking = false;
      pump.remove(this);
      for (const jobId of this.#jobs.keys()) this.#deps.waiting.delete(jobId);
    }
  }

  /** Takes the batch one stage further; whether it has ended. */
  async #advance(): Promise<boolean> {
    const { store, files } = this.#deps;
    const batch = await findBatch(store.db, this.#id);
    if (!batch) return true;
    this.#batch = batch;
    try {
      this.#content ??= await files.openContent(this.#owner, batch.input_file_id, batch.input_sha256);
      switch (batch.status) {
        case "validating":
          await this.#validate(this.#content);
          return false;
        case "in_progress":
          await this.#work();
          return false;
        case "finalizing":
        case "cancelling":
          await this.#drain();
          // Canceled while its lines were read: what was found of them says nothing.
          if (batch.in_progress_at === null) await deleteAllLines(store, this.#id);
          return await this.#finalize(this.#content);
        default:
          return true;
      }
    } catch (error) {
      if (!(error instanceof AppError) || !isInputGone(error)) throw error;
      await this.#drain();
      const why = "the input file was deleted before the batch had ended";
      return this.#fail([{ code: "input_file_gone", message: why, param: null, line: null }], 0);
    }
  }

  async #validate(content: StoredContent): Promise<void> {
    const { store, stopping, clock, oneByOne } = this.#deps;
    const signal = AbortSignal.any([stopping, this.#canceled.signal]);
    const read = await oneByOne(() => validate(this.#deps, this.#batch, content, signal)).catch(
      (error: unknown) => {
        if (this.#canceled.signal.aborted && !stopping.aborted) return undefined;
        throw error;
      },
    );
    if (!read) return;
    if (read.errors.length > 0) {
      await this.#fail(read.errors, read.total);
      return;
    }
    const { model, total } = read;
    const change = { status: "in_progress", model, total, in_progress_at: clock.now() } as const;
    await store.operation(changeBatch, this.#id, ["validating"], change);
  }

  async #fail(errors: readonly BatchError[], total: number): Promise<true> {
    const { store, clock, batchMetrics } = this.#deps;
    const change = {
      status: "failed",
      failed_at: clock.now(),
      errors: JSON.stringify(errors),
      ...(total > 0 && { total }),
    } as const;
    const from = ["validating", "in_progress", "finalizing", "cancelling"] as const;
    if (await store.operation(changeBatch, this.#id, from, change)) batchMetrics.ended("failed");
    await deleteAllLines(store, this.#id);
    return true;
  }

  /** Makes jobs of the lines and waits for their ends, until all have ended, time is over, or it is canceled. */
  async #work(): Promise<void> {
    const { clock, stopping, pump, files } = this.#deps;
    await this.#recover();
    this.#isWorking = true;
    let recheckAt = clock.monotonic() + RECHECK_MS;
    try {
      for (;;) {
        if (stopping.aborted || this.#canceled.signal.aborted) return;
        if (this.#fault) throw this.#fault;
        if (clock.now() >= this.#batch.expires_at) return await this.#close("expired");
        await this.#refill();
        if (this.#isRead && this.#pending.length + this.#submitting + this.#jobs.size === 0) {
          return await this.#close("completed");
        }
        pump.nudge();
        await this.#pause(TICK_MS);
        if (clock.monotonic() < recheckAt) continue;
        recheckAt = clock.monotonic() + RECHECK_MS;
        await files.keep(this.#owner, {
          file_id: this.#batch.input_file_id,
          sha256: this.#batch.input_sha256,
        });
        await this.#recheck();
      }
    } finally {
      this.#isWorking = false;
      this.#fault = undefined;
    }
  }

  async #close(outcome: "completed" | "expired"): Promise<void> {
    const { store, clock } = this.#deps;
    const change = { status: "finalizing", outcome, finalizing_at: clock.now() } as const;
    await store.operation(changeBatch, this.#id, ["in_progress"], change);
  }

  /** Takes up what an earlier process, or an earlier try of this one, has left. */
  async #recover(): Promise<void> {
    const { store } = this.#deps;
    await this.#refilling;
    this.#pending = [];
    this.#cursor = 0;
    this.#isRead = false;
    for (let after = 0; ; ) {
      const page = await listLines(store.db, this.#id, ["queued"], after, LOOKAHEAD);
      for (const { line, job_id } of page) if (job_id !== null) this.#track(line, job_id);
      const last = page.at(-1);
      if (!last) break;
      after = last.line;
    }
    await this.#recheck();
  }

  /** Looks at the jobs whose ends it waits for. */
  async #recheck(): Promise<void> {
    for (const [jobId, line] of [...this.#jobs]) {
      if (this.#deps.stopping.aborted) return;
      const { state } = await this.#deps.coordinator.job(this.#owner, jobId);
      if (isTerminal(state)) await this.#settle(line, jobId, state);
    }
  }

  #track(line: number, jobId: string): void {
    this.#jobs.set(jobId, line);
    this.#deps.waiting.set(jobId, this);
  }

  async #refill(): Promise<void> {
    if (this.#isRead || this.#pending.length >= REFILL_BELOW) return;
    this.#refilling ??= this.#readPending().finally(() => {
      this.#refilling = undefined;
    });
    await this.#refilling;
  }

  async #readPending(): Promise<void> {
    const page = await listLines(this.#deps.store.db, this.#id, ["pending"], this.#cursor, LOOKAHEAD);
    this.#pending.push(...page);
    this.#cursor = page.at(-1)?.line ?? this.#cursor;
    this.#isRead = page.length < LOOKAHEAD;
  }

  async submitNext(): Promise<void> {
    const next = this.#pending.shift();
    if (!next) return;
    this.#submitting++;
    try {
      await this.#submit(next);
    } catch (error) {
      this.#pending.unshift(next);
      this.#restUntil = this.#deps.clock.monotonic() + TICK_MS;
      if (error instanceof AppError && isInputGone(error)) this.#fault = error;
      if (isServerFault(error)) this.#report("line not submitted")(error);
    } finally {
      this.#submitting--;
      if (this.#pending.length < REFILL_BELOW || this.#jobs.size === 0 || this.#fault) this.#wake.resolve();
    }
  }

  async #submit({ line, start_byte: start, end_byte: end }: BatchLineTable): Promise<void> {
    const { coordinator, store, clock } = this.#deps;
    if (!this.#content) return;
    const bytes = await readRange(this.#content, { start, end }).catch(inputGone);
    const call = { number: line, bytes };
    const submitted = submitLine(coordinator, this.#owner, this.#batch, call, clock.now());
    const made = await submitted.catch((error: unknown) => this.#refuse(line, error));
    if (!made) return;
    const { job, replayed } = made;
    // Nothing was awaited since the job was stored but promises: its end cannot have been told yet.
    this.#track(line, job.job_id);
    await store.operation(markQueued, this.#id, line, job.job_id);
    if (!replayed) return;
    const { state } = await coordinator.job(this.#owner, job.job_id);
    if (isTerminal(state)) await this.#settle(line, job.job_id, state);
  }

  /** Ends a line that cannot become a job; rethrows what has nothing to do with the line. */
  async #refuse(line: number, error: unknown): Promise<undefined> {
    if (!(error instanceof AppError) || isPassing(error) || error.definition.status >= SERVER_ERROR)
      throw error;
    const failure = JSON.stringify(await toFailedResponse(error, `${this.#id}_${line}`));
    await this.#endLine({ line, job_id: null, failure, state: "failed" });
    return undefined;
  }

  /** A line's job has ended: the line has too, once. */
  async #settle(line: number, jobId: string, state: JobState): Promise<void> {
    // What ends without an answer when its batch is over was stopped; a job that is canceled by itself has failed.
    const isStopped = state === "EXPIRED" || this.#isOver;
    const end = state === "COMPLETED" ? "completed" : isStopped ? "stopped" : "failed";
    await this.#endLine({ line, job_id: jobId, failure: null, state: end });
    this.#jobs.delete(jobId);
    this.#deps.waiting.delete(jobId);
    this.#deps.pump.nudge();
    if (this.#jobs.size === 0) this.#wake.resolve();
  }

  async #endLine(end: LineEnd): Promise<void> {
    const { store, batchMetrics } = this.#deps;
    if (await store.operation(endLine, this.#id, end)) batchMetrics.lineEnded(end.state);
  }

  /** Whether no more of it is to run. */
  get #isOver(): boolean {
    const { status, expires_at } = this.#batch;
    const isWorked = status === "validating" || status === "in_progress";
    return !isWorked || this.#canceled.signal.aborted || this.#deps.clock.now() >= expires_at;
  }

  /** Stops the jobs that wait or run, and waits for their ends. */
  async #drain(): Promise<void> {
    const { coordinator, stopping } = this.#deps;
    while (this.#submitting > 0 && !stopping.aborted) await this.#pause(TICK_MS);
    await this.#recover();
    for (const jobId of [...this.#jobs.keys()]) await cancelJob(coordinator, this.#owner, jobId);
    while (this.#jobs.size > 0 && !stopping.aborted) {
      await this.#pause(TICK_MS);
      await this.#recheck();
    }
    if (stopping.aborted) throw new AppError("SHUTTING_DOWN", "stopped while a batch was ended");
  }

  async #finalize(input: StoredContent): Promise<boolean> {
    const finalization = new Finalization(this.#deps, { batch: this.#batch, owner: this.#owner, input });
    const end = await finalization.run();
    if (end === "later") await this.#pause(RETRY_MS);
    if (end !== "ended") return false;
    await deleteAllLines(this.#deps.store, this.#id);
    return true;
  }

  /** Waits until something happens, at most `maxMs`. */
  async #pause(maxMs: number): Promise<void> {
    const { stopping } = this.#deps;
    const wake = this.#wake;
    const timer = setTimeout(wake.resolve, maxMs);
    const stop = (): void => wake.resolve();
    stopping.addEventListener("abort", stop, { once: true });
    if (!stopping.aborted) await wake.promise;
    stopping.removeEventListener("abort", stop);
    clearTimeout(timer);
    this.#wake = Promise.withResolvers();
  }

  #report(message: string): (error: unknown) => void {
    return (error) => this.#deps.log.error({ err: error, batch_id: this.#id }, message);
  }
}

/** Whether a fault passes by itself: a full queue, a daemon that stops. */
const isPassing = ({ definition }: AppError): boolean => definition.retry === "later";

const isInputGone = ({ code }: AppError): boolean => code === "FILE_NOT_FOUND";

/** The file was there when the batch began. */
function inputGone(cause: unknown): never {
  throw new AppError("FILE_NOT_FOUND", "the input file cannot be read", { cause });
}
