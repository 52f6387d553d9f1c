import { type AnswerFormat, answerFormat, type Choice, readDeltas } from "../../domain/job/answer.ts";
import { isTerminal } from "../../domain/job/state.ts";
import type { EndEvent } from "../../wire/job-events.ts";
import type { ChoiceView, JobPayload, JobResult, JobView, QueueView, Usage } from "../../wire/jobs.ts";
import { MAX_INLINE_BYTES } from "../../wire/limits.ts";
import { formatTime } from "../../wire/scalars.ts";
import type { Lease } from "./lease.ts";
import type { JobTable } from "./tables.ts";

const formatNullable = (time: number | null): string | null => (time === null ? null : formatTime(time));

/** A running job with what its lease has delivered: its row says that only when the lease has ended. */
export function withDelivered(job: JobTable, lease: Lease | undefined): JobTable {
  if (lease?.token !== job.token) return job;
  return { ...job, delivered_bytes: lease.storedBytes, last_seq: lease.lastSeq };
}

/** Writes a job as clients see it. `queue` belongs to jobs that wait; `format` spares reading the payload. */
export function toJobView(job: JobTable, queue?: QueueView, format: AnswerFormat = formatOf(job)): JobView {
  return {
    job_id: job.job_id,
    state: job.state,
    kind: job.kind,
    model: job.model,
    priority: job.priority,
    assigned_miner_id: job.miner_id,
    attempts: job.attempts,
    max_attempts: job.max_attempts,
    requested_at: formatTime(job.requested_at),
    expires_at: formatTime(job.expires_at),
    started_at: formatNullable(job.started_at),
    completed_at: formatNullable(job.completed_at),
    answer_format: format,
    delivered_bytes: job.delivered_bytes,
    units: job.settled_units,
    price_uait: String(job.price_uait),
    error: job.error,
    ...(queue && { queue }),
  };
}

/** The format of a job's answer. */
export function formatOf({ payload }: Pick<JobTable, "payload">): AnswerFormat {
  // The column holds the text of a payload that was checked when the job was submitted.
  return answerFormat(JSON.parse(payload) as JobPayload);
}

/** The output of a job as its result shows it. */
export function toAnswer(
  job: Pick<JobTable, "payload">,
  output: string,
): Pick<JobResult["result"], "text" | "choices" | "embeddings"> {
  if (formatOf(job) === "text") return { text: output };
  const { choices, embeddings } = readDeltas(output);
  const text = choices[0]?.text ?? "";
  return embeddings.length > 0
    ? { text, embeddings: [...embeddings] }
    : { text, choices: choices.map(toChoice) };
}

/** Whether an output is too long for a result, which names it instead. */
export const isLong = (job: Pick<JobTable, "delivered_bytes">): boolean =>
  job.delivered_bytes > MAX_INLINE_BYTES;

/** The answer in the place of one that is too long. */
export const LONG_ANSWER = { text: "", text_in_artifact: true } as const;

/** Arrays of a schema are mutable, those of an answer are not. */
function toChoice({ tool_calls, logprobs, ...choice }: Choice): ChoiceView {
  return {
    ...choice,
    tool_calls: [...tool_calls],
    logprobs: logprobs.map((chosen) => structuredClone(chosen) as ChoiceView["logprobs"][number]),
  };
}

/** Writes the last event of a job's stream. */
export function toEndEvent(job: JobTable, receiptId: string | null, usage: Usage | null): EndEvent {
  return {
    state: job.state,
    error: job.error,
    finish_reason: job.finish_reason,
    delivered_bytes: job.delivered_bytes,
    receipt_id: receiptId,
    units: job.settled_units,
    usage,
  };
}

/** Whether the job ended before its answer did, though it delivered text. */
export function isPartial(job: JobTable): boolean {
  return isTerminal(job.state) && job.state !== "COMPLETED" && job.delivered_bytes > 0;
}
