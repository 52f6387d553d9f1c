import { z } from "zod";
import { MAX_CHOICES, MAX_EMBEDDING_INPUTS, MAX_TOOL_CALLS } from "../domain/job/deltas.ts";
import { JOB_STATES } from "../domain/job/state.ts";
import { route } from "./access.ts";
import { ArtifactResult } from "./artifacts.ts";
import { DEADLINE_HEADER, DeadlineMs } from "./deadline.ts";
import {
  DEFAULT_ATTEMPTS,
  DEFAULT_PRIORITY,
  DEFAULT_RUN_SECONDS,
  DEFAULT_TTL_SECONDS,
  MAX_ATTEMPTS,
  MAX_CALL_ID,
  MAX_DIMENSIONS,
  MAX_IDEMPOTENCY_KEY,
  MAX_KEEP_ALIVE_SECONDS,
  MAX_LOGPROBS,
  MAX_MESSAGES,
  MAX_MODELS,
  MAX_PAGE,
  MAX_PARTS,
  MAX_PRIORITY,
  MAX_RUN_SECONDS,
  MAX_STOP_CHARACTERS,
  MAX_STOP_STRINGS,
  MAX_TOKENS,
  MAX_TOOL_DESCRIPTION,
  MAX_TOOL_NAME,
  MAX_TOOLS,
  MAX_TTL_SECONDS,
} from "./limits.ts";
import { AmountString, DisplayName, JobId, LegacyAit, ModelName, Sha256Hex, Timestamp } from "./scalars.ts";

/** A part of a message. An image is an artifact that the client has uploaded. */
const ContentPart = z.discriminatedUnion("type", [
  z.strictObject({ type: z.literal("text"), text: z.string() }),
  z.strictObject({
    type: z.literal("image"),
    sha256: Sha256Hex,
    media_type: z.enum(["image/png", "image/jpeg", "image/webp", "image/gif"]),
  }),
]);

/** A call that the model made. */
const ToolCall = z.strictObject({
  id: z.string().max(MAX_CALL_ID),
  name: z.string().min(1).max(MAX_TOOL_NAME),
  arguments: z.string().meta({ description: "JSON text, as the model wrote it" }),
});

const ChatMessage = z
  .strictObject({
    role: z.enum(["system", "user", "assistant", "tool"]),
    content: z.union([z.string(), z.array(ContentPart).min(1).max(MAX_PARTS)]),
    tool_calls: z.array(ToolCall).min(1).max(MAX_TOOL_CALLS).optional(),
    tool_call_id: z.string().max(MAX_CALL_ID).optional().meta({ description: "The call that this answers" }),
  })
  .refine(({ role, tool_calls }) => tool_calls === undefined || role === "assistant", {
    path: ["tool_calls"],
    message: "only the assistant calls tools",
  })
  .refine(({ role, tool_call_id }) => (tool_call_id === undefined) === (role !== "tool"), {
    path: ["tool_call_id"],
    message: "goes with the role tool, and only with it",
  });
export type ChatMessage = z.infer<typeof ChatMessage>;

/** Any JSON value. Bodies come out of the JSON parser, and a schema that contains itself cannot be compiled. */
const JsonValue: z.ZodType<z.core.util.JSONType> = z.any();
/** Any JSON object, such as a JSON Schema. */
const JsonObject = z.record(z.string(), JsonValue);

const Tool = z.strictObject({
  name: z
    .string()
    .regex(/^[\w.:-]+$/, "must be letters, digits, _ . : or -")
    .max(MAX_TOOL_NAME),
  description: z.string().max(MAX_TOOL_DESCRIPTION).optional(),
  parameters: JsonObject.optional().meta({ description: "JSON Schema of the arguments" }),
});

const Penalty = z.number().min(-2).max(2);

/** Input of a job of kind `inference`. Exactly one of `prompt` and `messages` is given. */
const InferencePayload = z
  .strictObject({
    type: z.literal("inference"),
    prompt: z.string().min(1).optional().meta({ description: "One question, put to the model as a user" }),
    messages: z.array(ChatMessage).min(1).max(MAX_MESSAGES).optional().meta({
      description: "Where the assistant's words are the last, the answer goes on with them",
    }),
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
    min_p: z.number().min(0).max(1).optional(),
    frequency_penalty: Penalty.optional(),
    presence_penalty: Penalty.optional(),
    repeat_penalty: z.number().min(0).max(2).optional(),
    n: z.int().min(1).max(MAX_CHOICES).optional().meta({ description: "Choices of the answer" }),
    logprobs: z
      .int()
      .min(0)
      .max(MAX_LOGPROBS)
      .optional()
      .meta({ description: "Probability of each token, with so many alternatives; absent: none" }),
    format: z
      .discriminatedUnion("type", [
        z.strictObject({ type: z.literal("json") }),
        z.strictObject({ type: z.literal("json_schema"), schema: JsonObject }),
      ])
      .optional()
      .meta({ description: "The answer is JSON, of this schema" }),
    tools: z.array(Tool).max(MAX_TOOLS).optional(),
    tool_choice: z
      .union([
        z.enum(["auto", "none", "required"]),
        z.strictObject({ name: z.string().min(1).max(MAX_TOOL_NAME) }),
      ])
      .optional(),
    think: z.union([z.boolean(), z.enum(["low", "medium", "high"])]).optional(),
    context_tokens: z.int().min(1).max(MAX_TOKENS).optional().meta({
      description: "Least context that the model must have, in tokens",
    }),
    keep_alive_seconds: z.int().min(0).max(MAX_KEEP_ALIVE_SECONDS).optional().meta({
      description: "How long the model should stay loaded after the job; a wish that an engine may not know",
    }),
  })
  .refine((payload) => (payload.prompt === undefined) !== (payload.messages === undefined), {
    path: ["prompt"],
    message: "give either prompt or messages",
  })
  .refine((payload) => payload.messages === undefined || (payload.system === undefined && !payload.raw), {
    path: ["messages"],
    message: "system and raw go with prompt; put a system message into messages",
  });

export type InferencePayload = z.infer<typeof InferencePayload>;

/** Input of a job of kind `embedding`. */
const EmbeddingPayload = z.strictObject({
  type: z.literal("embedding"),
  input: z.array(z.string().min(1)).min(1).max(MAX_EMBEDDING_INPUTS),
  model: ModelName.optional().meta({ description: "Absent: any model of the miner that takes the job" }),
  dimensions: z.int().min(1).max(MAX_DIMENSIONS).optional().meta({
    description: "Length of the vectors, where the model leaves the choice",
  }),
  keep_alive_seconds: z.int().min(0).max(MAX_KEEP_ALIVE_SECONDS).optional(),
});
export type EmbeddingPayload = z.infer<typeof EmbeddingPayload>;

/** Input of a job, by kind. */
export const JobPayload = z.discriminatedUnion("type", [InferencePayload, EmbeddingPayload]);
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
  deadline_seconds: z.number().gt(0).max(MAX_TTL_SECONDS).exactOptional().meta({
    description:
      "A miner should begin within this time. When the wait will be longer, as far as one can tell, the submission is refused at once with 429 DEADLINE_UNREACHABLE; it bounds `ttl_seconds` too",
  }),
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
  eta_p50_ms: z.int().min(0).nullable().meta({
    description:
      "How long until a miner begins with it, in ms: as likely to be shorter as longer; null: unknown",
  }),
  eta_p90_ms: z.int().min(0).nullable().meta({
    description: "The same, which nine of ten jobs do not exceed",
  }),
  eta_unknown: z.string().exactOptional().meta({ description: "Why there is no estimate" }),
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
  answer_format: z.enum(["text", "deltas"]).meta({
    description: "What the events of the stream carry: the answer's text, or lines that add to it",
  }),
  delivered_bytes: z.int(),
  units: z.int().meta({ description: "Units charged so far" }),
  price_uait: AmountString,
  error: z.string().nullable().meta({ example: "ENGINE_FAILED: the engine stopped" }),
  queue: QueueView.optional(),
});
export type JobView = z.infer<typeof JobView>;

/** A receipt as JSON. Its members are described in protocols/receipts. */
export const ReceiptJson = z.record(z.string(), z.unknown()).meta({ description: "See protocols/receipts" });

/** One choice of an answer of format `deltas`. */
const ChoiceView = z.object({
  text: z.string(),
  reasoning: z.string(),
  tool_calls: z.array(z.object({ id: z.string(), name: z.string(), arguments: z.string() })),
  logprobs: z.array(
    z.object({
      token: z.string(),
      logprob: z.number(),
      bytes: z.array(z.int()).optional(),
      top: z
        .array(z.object({ token: z.string(), logprob: z.number(), bytes: z.array(z.int()).optional() }))
        .optional(),
    }),
  ),
  finish_reason: z.string().nullable(),
});

export type ChoiceView = z.infer<typeof ChoiceView>;

/** Tokens as the engine counted them. */
export const Usage = z.object({ prompt_tokens: z.int(), completion_tokens: z.int() });
export type Usage = z.infer<typeof Usage>;

export const JobResult = z.object({
  result: z.object({
    text: z.string().meta({ description: "The answer; of several choices the first" }),
    text_in_artifact: z.literal(true).optional().meta({
      description:
        "The output is too long to stand here: `text` is empty, and `artifact` has all of it, as the stream had",
    }),
    choices: z.array(ChoiceView).optional().meta({
      description: "Where the answer is more than one text: several choices, calls of tools, probabilities",
    }),
    embeddings: z.array(z.string()).optional().meta({
      description: "Vectors in the order of the inputs: 32-bit floats, little-endian, as base64",
    }),
    model: z.string().nullable(),
    finish_reason: z.string().nullable(),
    usage: Usage.nullable(),
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
export const JobParams = z.object({
  job_id: z.string().max(MAX_JOB_ID).meta({ description: "Id of a job", example: JobId.meta()?.example }),
});

/** Job kinds whose owner or an administrator may call a job's routes. */
export const OWNER = ["client", "admin"] as const;

export const submitJob = route({
  method: "POST",
  path: "/v1/jobs",
  access: ["client"],
  tag: "Jobs",
  summary: "Submit a job",
  description:
    "The answer is sent when the job is on disk. With an `Idempotency-Key` the same call can be repeated for 24 h: the same body gets the same answer, another body 422.",
  headers: z.object({
    "idempotency-key": z.string().min(1).max(MAX_IDEMPOTENCY_KEY).optional(),
    [DEADLINE_HEADER]: DeadlineMs.optional(),
  }),
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
