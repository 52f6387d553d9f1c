import { z } from "zod";
import { JOB_STATES } from "../domain/job/state.ts";
import { route } from "./access.ts";
import { ArtifactResult } from "./artifacts.ts";
import {
  DEFAULT_ATTEMPTS,
  DEFAULT_PRIORITY,
  DEFAULT_RUN_SECONDS,
  DEFAULT_TTL_SECONDS,
  MAX_ATTEMPTS,
  MAX_IDEMPOTENCY_KEY,
  MAX_MESSAGES,
  MAX_MODELS,
  MAX_PAGE,
  MAX_PRIORITY,
  MAX_RUN_SECONDS,
  MAX_STOP_CHARACTERS,
  MAX_STOP_STRINGS,
  MAX_TOKENS,
  MAX_TTL_SECONDS,
} from "./limits.ts";
import { AmountString, DisplayName, JobId, LegacyAit, ModelName, Timestamp } from "./scalars.ts";

const ChatMessage = z.strictObject({
  role: z.enum(["system", "user", "assistant"]),
  content: z.string(),
});

/** Input of a job of kind `inference`. Exactly one of `prompt` and `messages` is given. */
const InferencePayload = z
  .strictObject({
    type: z.literal("inference"),
    prompt: z.string().min(1).optional().meta({ description: "One question, put to the model as a user" }),
    messages: z.array(ChatMessage).min(1).max(MAX_MESSAGES).optional(),
    system: z.string().optional().meta({ description: "System message in front of the prompt" }),
    raw: z
      .boolean()
      .optional()
      .meta({ description: "The prompt is continued as it is, without the model's chat template" }),
    model: ModelName.optional().meta({ description: "Absent: any model of the miner that takes the job" }),
    max_tokens: z.int().min(1).max(MAX_TOKENS).optional(),
    temperature: z.number().min(0).max(2).optional(),
    top_p: z.number().gt(0).max(1).optional(),
    top_k: z.int().min(1).max(1000).optional(),
    seed: z.int().min(0).max(0xffff_ffff).optional(),
    stop: z.array(z.string().min(1).max(MAX_STOP_CHARACTERS)).max(MAX_STOP_STRINGS).optional(),
  })
  .refine((payload) => (payload.prompt === undefined) !== (payload.messages === undefined), {
    path: ["prompt"],
    message: "give either prompt or messages",
  })
  .refine((payload) => payload.messages === undefined || (payload.system === undefined && !payload.raw), {
    path: ["messages"],
    message: "system and raw go with prompt; put a system message into messages",
  });

/** Input of a job, by kind. */
export const JobPayload = z.discriminatedUnion("type", [InferencePayload]);
export type JobPayload = z.infer<typeof JobPayload>;

/** What a miner must offer. All members are optional and all given ones must hold. */
const JobConstraints = z.strictObject({
  gpu: DisplayName.optional().meta({ description: "Name of a GPU, equal to one of the miner's" }),
  cuda: z.string().max(16).optional().meta({ description: "Part of the miner's CUDA version" }),
  min_vram_gb: z.number().min(0).max(4096).optional(),
  models: z.array(ModelName).max(MAX_MODELS).optional(),
  region: DisplayName.optional(),
  max_price: LegacyAit.optional().meta({ description: "Highest price of the miner, in AIT" }),
});

export const JobSubmission = z.strictObject({
  payload: JobPayload,
  constraints: JobConstraints.optional(),
  ttl_seconds: z
    .int()
    .min(1)
    .max(MAX_TTL_SECONDS)
    .default(DEFAULT_TTL_SECONDS)
    .meta({ description: "Longest wait for the first claim" }),
  max_run_seconds: z.int().min(1).max(MAX_RUN_SECONDS).default(DEFAULT_RUN_SECONDS),
  max_attempts: z.int().min(1).max(MAX_ATTEMPTS).default(DEFAULT_ATTEMPTS),
  priority: z.int().min(0).max(MAX_PRIORITY).default(DEFAULT_PRIORITY),
  payment_amount: LegacyAit.optional(),
  payment_currency: z.string().max(16).optional(),
});
export type JobSubmission = z.infer<typeof JobSubmission>;

/** Why a job is not running yet, and how many stand before it. */
export const QueueView = z.object({
  position: z.int().min(1).meta({ description: "1 is next; counts jobs with the same requirements" }),
  position_is_lower_bound: z.boolean(),
  miners_online: z.int().min(0),
  miners_eligible: z.int().min(0),
  reason: z.string().meta({ example: "3 miners online, none has model llama3" }),
});
export type QueueView = z.infer<typeof QueueView>;

export const JobView = z.object({
  job_id: JobId,
  state: z.enum(JOB_STATES),
  kind: z.string(),
  model: z.string().nullable(),
  priority: z.int(),
  assigned_miner_id: z.string().nullable(),
  attempts: z.int(),
  max_attempts: z.int(),
  requested_at: Timestamp,
  expires_at: Timestamp,
  started_at: Timestamp.nullable(),
  completed_at: Timestamp.nullable(),
  delivered_bytes: z.int(),
  units: z.int().meta({ description: "Units charged so far" }),
  price_uait: AmountString,
  error: z.string().nullable().meta({ example: "ENGINE_FAILED: the engine stopped" }),
  queue: QueueView.optional(),
});
export type JobView = z.infer<typeof JobView>;

/** A receipt as JSON. Its members are described in protocols/receipts. */
export const ReceiptJson = z.record(z.string(), z.unknown()).meta({ description: "See protocols/receipts" });

export const JobResult = z.object({
  result: z.object({
    text: z.string(),
    model: z.string().nullable(),
    finish_reason: z.string().nullable(),
    usage: z.object({ prompt_tokens: z.int(), completion_tokens: z.int() }).nullable(),
    segments: z.int(),
    original: z.unknown().optional().meta({
      description: "The result as its miner wrote it, where that was JSON of its own making",
    }),
    artifact: ArtifactResult.optional(),
    partial: z.boolean().optional().meta({ description: "The job ended before its answer did" }),
  }),
  receipt: ReceiptJson.nullable(),
});
export type JobResult = z.infer<typeof JobResult>;

export const ReceiptPage = z.object({
  items: z.array(ReceiptJson),
  next_cursor: z.string().nullable(),
});
export type ReceiptPage = z.infer<typeof ReceiptPage>;

/** Longest text that is looked up as a job's id. */
const MAX_JOB_ID = 64;

/** What is no id cannot name a job: such a call is answered 404 like any other unknown job. */
const JobParams = z.object({
  job_id: z.string().max(MAX_JOB_ID).meta({ description: "Id of a job", example: JobId.meta()?.example }),
});

/** Job kinds whose owner or an administrator may call a job's routes. */
const OWNER = ["client", "admin"] as const;

export const submitJob = route({
  method: "POST",
  path: "/v1/jobs",
  access: ["client"],
  tag: "Jobs",
  summary: "Submit a job",
  description:
    "The answer is sent when the job is on disk. With an `Idempotency-Key` the same call can be repeated for 24 h: the same body gets the same answer, another body 422.",
  headers: z.object({ "idempotency-key": z.string().min(1).max(MAX_IDEMPOTENCY_KEY).optional() }),
  body: JobSubmission,
  responses: { 201: { description: "The job, queued", schema: JobView } },
});

export const getJob = route({
  method: "GET",
  path: "/v1/jobs/:job_id",
  access: OWNER,
  tag: "Jobs",
  summary: "State of a job, and why it waits",
  params: JobParams,
  responses: { 200: { description: "The job", schema: JobView } },
});

export const getJobResult = route({
  method: "GET",
  path: "/v1/jobs/:job_id/result",
  access: OWNER,
  tag: "Jobs",
  summary: "Result of a job that has ended",
  description:
    "425 while the job waits or runs. A job that ended early serves what it delivered, with `partial`.",
  params: JobParams,
  responses: { 200: { description: "Result and last receipt", schema: JobResult } },
});

export const getJobEvents = route({
  method: "GET",
  path: "/v1/jobs/:job_id/events",
  access: OWNER,
  tag: "Jobs",
  summary: "Stream of a job's states and text",
  description:
    "Server-sent events `state`, `chunk` and `end`. `id:` is the sequence number; `Last-Event-ID` resumes after it, also after a restart of the daemon. 204 when nothing comes after it.",
  params: JobParams,
  headers: z.object({
    "last-event-id": z
      .string()
      .regex(/^[0-9]{1,15}$/, "must be a sequence number")
      .optional(),
  }),
  responses: {
    200: { description: "The stream", contentType: "text/event-stream" },
    204: { description: "The stream has ended and was read to its end" },
  },
});

export const cancelJob = route({
  method: "POST",
  path: "/v1/jobs/:job_id/cancel",
  access: OWNER,
  tag: "Jobs",
  summary: "Cancel a job",
  description: "Stops the miner's engine. What was delivered stays, is charged, and has its receipt.",
  params: JobParams,
  responses: { 200: { description: "The job, canceled", schema: JobView } },
});

export const deleteJob = route({ ...cancelJob, method: "DELETE", path: "/v1/jobs/:job_id" });

export const getJobReceipt = route({
  method: "GET",
  path: "/v1/jobs/:job_id/receipt",
  access: OWNER,
  tag: "Receipts",
  summary: "Last receipt of a job",
  params: JobParams,
  responses: { 200: { description: "The receipt", schema: ReceiptJson } },
});

export const listJobReceipts = route({
  method: "GET",
  path: "/v1/jobs/:job_id/receipts",
  access: OWNER,
  tag: "Receipts",
  summary: "Receipts of a job, one a segment, oldest first",
  params: JobParams,
  query: z.object({
    cursor: z
      .string()
      .regex(/^[0-9]{1,9}$/, "must be a cursor of an earlier page")
      .optional(),
    limit: z.coerce.number().int().min(1).max(MAX_PAGE).default(50),
  }),
  responses: { 200: { description: "A page of receipts", schema: ReceiptPage } },
});

export const JOB_ROUTES = [
  submitJob,
  getJob,
  getJobResult,
  getJobEvents,
  cancelJob,
  deleteJob,
  getJobReceipt,
  listJobReceipts,
] as const;
