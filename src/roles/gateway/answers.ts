import { type Answer, AnswerBuilder, type AnswerFormat, answerFormat } from "../../domain/job/answer.ts";
import {
  type AnswerDelta,
  DELTA_FINISH_REASONS,
  type DeltaFinishReason,
  LineSplitter,
  parseDelta,
} from "../../domain/job/deltas.ts";
import { AppError, isErrorCode } from "../../kernel/errors.ts";
import type { Principal } from "../../wire/access.ts";
import type { ChunkEvent, EndEvent, JobEvent } from "../../wire/job-events.ts";
import type { JobPayload, QueueView, Usage } from "../../wire/jobs.ts";
import {
  DEFAULT_ATTEMPTS,
  DEFAULT_PRIORITY,
  DEFAULT_RUN_SECONDS,
  DEFAULT_TTL_SECONDS,
} from "../../wire/limits.ts";
import { checkPayload, type MemberNames } from "./payload.ts";
import type { BatchPort, CallKey, CoordinatorPort } from "./ports.ts";

/** What answers are made from. */
export type AnswerPort = Pick<
  CoordinatorPort,
  "submit" | "events" | "cancel" | "minerOf" | "findModel" | "putImage"
>;

/** What one miner delivered of an answer. */
export interface AnswerSegment {
  /** The lease that delivered it. */
  readonly segment: number;
  readonly miner_id: string | null;
}

/** What an answer consists of, in this order: waiting, segments with their deltas, the end. */
export type AnswerPart =
  /** It has not begun, or waits for another miner to go on. `queue` tells where it stands. */
  | { readonly type: "waiting"; readonly queue: QueueView | undefined }
  /** A miner begins to deliver: the first, or at a seam the next one. */
  | ({ readonly type: "segment"; readonly isSeam: boolean } & AnswerSegment)
  /**
   * `seq` is there when everything up to this number of the job's stream is told with it: whoever comes back
   * through the jobs API resumes after it.
   */
  | { readonly type: "delta"; readonly seq: number | undefined; readonly delta: AnswerDelta }
  /** Nothing came for some seconds. */
  | { readonly type: "alive" }
  | AnswerEnd;

/** How an answer ended. */
export interface AnswerEnd {
  readonly type: "end";
  /** Why it is not complete; undefined when it is. */
  readonly error: AppError | undefined;
  /** Of the only choice, or of the last one. */
  readonly finish_reason: string | null;
  readonly usage: Usage | null;
  /** Units charged. */
  readonly units: number;
  readonly receipt_id: string | null;
  readonly segments: readonly AnswerSegment[];
}

export interface AnswerOptions {
  /** Longest wait for a miner, in seconds. */
  readonly ttl_seconds?: number | undefined;
  readonly priority?: number | undefined;
  /** The call is refused at once when a miner will not begin within it, in seconds. */
  readonly deadline_seconds?: number | undefined;
  readonly key?: CallKey | undefined;
  readonly names?: MemberNames;
  /** Images that the payload names, stored before the job is. */
  readonly images?: readonly AnswerImage[];
  /** Ends the reading of the answer, and nothing else. */
  readonly signal: AbortSignal;
}

export interface AnswerImage {
  readonly mediaType: string;
  readonly bytes: Uint8Array;
}

/** An answer that is being made. The job runs on whether anybody reads it or not. */
export interface OpenAnswer {
  readonly jobId: string;
  /** When the job was submitted, Unix ms. */
  readonly createdAt: number;
  /** Whether an earlier call with the same key has submitted the job. */
  readonly replayed: boolean;
  /** The answer from its beginning; the parts are made as they are taken. */
  readonly parts: AsyncGenerator<AnswerPart, void, void>;
  /** Cancels the job, if it still waits or runs. */
  cancel(): Promise<void>;
}

/**
 * Submits a payload as a job and opens its answer.
 * @throws AppError what `checkPayload`, `CoordinatorPort.submit` and `CoordinatorPort.events` throw; nothing is
 * queued then
 */
export async function openAnswer(
  coordinator: AnswerPort,
  caller: Principal,
  input: JobPayload,
  options: AnswerOptions,
): Promise<OpenAnswer> {
  const payload = checkPayload(coordinator, input, options.names);
  for (const { mediaType, bytes } of options.images ?? []) {
    await coordinator.putImage(caller, mediaType, bytes);
  }
  const submission = {
    payload,
    ttl_seconds: options.ttl_seconds ?? DEFAULT_TTL_SECONDS,
    max_run_seconds: DEFAULT_RUN_SECONDS,
    max_attempts: DEFAULT_ATTEMPTS,
    priority: options.priority ?? DEFAULT_PRIORITY,
    ...(options.deadline_seconds !== undefined && { deadline_seconds: options.deadline_seconds }),
  };
  const { job, replayed } = await coordinator.submit(caller, submission, options.key);
  const jobId = job.job_id;
  const cancel = () => cancelJob(coordinator, caller, jobId);
  try {
    const source = await coordinator.events(caller, jobId, 0, options.signal);
    const format = answerFormat(payload);
    const parts = source ? readParts(coordinator, jobId, format, source) : nothing();
    return { jobId, createdAt: Date.parse(job.requested_at), replayed, parts, cancel };
  } catch (error) {
    if (!replayed) await cancel();
    throw error;
  }
}

/** What is there of the answer of a job that has ended. @throws AppError what `CoordinatorPort.events` throws */
export async function findAnswer(
  coordinator: BatchPort,
  caller: Principal,
  jobId: string,
  signal: AbortSignal,
): Promise<{ readonly createdAt: number; readonly answer: WholeAnswer }> {
  const { requested_at, answer_format } = await coordinator.job(caller, jobId);
  const source = await coordinator.events(caller, jobId, 0, signal);
  const parts = source ? readParts(coordinator, jobId, answer_format, source) : nothing();
  return { createdAt: Date.parse(requested_at), answer: await readAnswer({ parts }) };
}

/** Cancels a job, if it still waits or runs. */
export async function cancelJob(coordinator: AnswerPort, caller: Principal, jobId: string): Promise<void> {
  try {
    await coordinator.cancel(caller, jobId);
  } catch (error) {
    if (!(error instanceof AppError) || error.code !== "CONFLICT_STATE") throw error;
  }
}

/** A whole answer. */
export interface WholeAnswer extends AnswerEnd, Answer {}

/** Reads an answer to its end. @throws AppError why it is not complete */
export async function readAnswer({ parts }: Pick<OpenAnswer, "parts">): Promise<WholeAnswer> {
  const builder = new AnswerBuilder();
  for await (const part of parts) {
    if (part.type === "delta") builder.add(part.delta);
    else if (part.type === "end") {
      if (part.error) throw part.error;
      return { ...part, ...builder.answer };
    }
  }
  throw new AppError("INTERRUPTED", "the caller has gone");
}

async function* nothing(): AsyncGenerator<AnswerPart, void, void> {}

async function* readParts(
  coordinator: AnswerPort,
  jobId: string,
  format: AnswerFormat,
  source: AsyncGenerator<JobEvent | "keep-alive", void, void>,
): AsyncGenerator<AnswerPart, void, void> {
  const segments: AnswerSegment[] = [];
  const lines = new LineSplitter();
  for await (const item of source) {
    if (item === "keep-alive") yield { type: "alive" };
    else if (item.event === "state") {
      if (item.data.state === "QUEUED") yield { type: "waiting", queue: item.data.queue };
    } else if (item.event === "chunk") {
      const { segment } = item.data;
      if (segments.at(-1)?.segment !== segment) {
        const begun = { segment, miner_id: (await coordinator.minerOf(jobId, segment)) ?? null };
        const isSeam = segments.push(begun) > 1;
        yield { type: "segment", isSeam, ...begun };
      }
      const deltas = toDeltas(item.data, format, lines);
      for (const [index, delta] of deltas.entries()) {
        const isAll = index === deltas.length - 1 && lines.empty;
        yield { type: "delta", seq: isAll ? item.id : undefined, delta };
      }
    } else {
      if (format === "text" && item.data.state === "COMPLETED") {
        const finish_reason = toFinishReason(item.data.finish_reason);
        yield { type: "delta", seq: undefined, delta: { finish_reason } };
      }
      yield toEnd(item.data, segments);
    }
  }
}

function toDeltas({ text }: ChunkEvent, format: AnswerFormat, lines: LineSplitter): AnswerDelta[] {
  return format === "text" ? [{ text }] : lines.push(text).map(parseDelta);
}

/** Miners without a key say what they like. */
function toFinishReason(reason: string | null): DeltaFinishReason {
  return DELTA_FINISH_REASONS.find((known) => known === reason) ?? "stop";
}

function toEnd(end: EndEvent, segments: readonly AnswerSegment[]): AnswerEnd {
  const { finish_reason, usage, units, receipt_id } = end;
  return { type: "end", error: toError(end), finish_reason, usage, units, receipt_id, segments };
}

/** Why a job's answer is not complete. */
function toError({ state, error, delivered_bytes }: EndEvent): AppError | undefined {
  if (state === "COMPLETED") return undefined;
  if (state === "CANCELED") return new AppError("JOB_CANCELED", "the job was canceled");
  if (state === "EXPIRED") {
    return new AppError("NO_ELIGIBLE_MINER", "no miner took the job in time; try again later");
  }
  // A job's error reads `CODE: message`. What the request itself is to blame for keeps its code.
  const [code = ""] = error?.split(":") ?? [];
  const isRequests = (code === "UNSUPPORTED_FEATURE" || code === "INVALID_PAYLOAD") && delivered_bytes === 0;
  if (isRequests && isErrorCode(code)) return new AppError(code, error?.slice(code.length + 2) ?? "");
  return new AppError("JOB_FAILED", error ?? "the job failed");
}
