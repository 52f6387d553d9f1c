import { z } from "zod";
import { route } from "../access.ts";
import { MAX_IDEMPOTENCY_KEY } from "../limits.ts";
import { Metadata, maybe, refused } from "./common.ts";
import { OPENAI_ERRORS } from "./errors.ts";
import { pageOf } from "./files.ts";

/** Most requests of one batch: OpenAI's own limit. */
export const MAX_BATCH_LINES = 50_000;
/** Longest line, in bytes: one is in memory at a time. A chat with larger images goes by itself. */
export const MAX_BATCH_LINE_BYTES = 4 * 1024 * 1024;
/** Longest `custom_id`, in characters. */
const MAX_CUSTOM_ID = 512;
/** Faults of an input file that are told; the search ends there. */
export const MAX_BATCH_ERRORS = 100;
/** How long a batch has, in seconds. */
export const BATCH_WINDOW_SECONDS = 86_400;
const MAX_ID = 64;
/** Batches of a page: default and most, as OpenAI's. */
const DEFAULT_BATCH_PAGE = 20;
export const MAX_BATCH_PAGE = 100;

/** The calls that a batch can be made of. */
export const BATCH_ENDPOINTS = ["/v1/chat/completions", "/v1/completions", "/v1/embeddings"] as const;
export type BatchEndpoint = (typeof BATCH_ENDPOINTS)[number];

export const BATCH_STATUSES = [
  "validating",
  "failed",
  "in_progress",
  "finalizing",
  "completed",
  "expired",
  "cancelling",
  "cancelled",
] as const;
export type BatchStatus = (typeof BATCH_STATUSES)[number];

/** One line of an input file; the body is checked as that of the call is. */
export const BatchLine = z.strictObject({
  custom_id: z.string().min(1).max(MAX_CUSTOM_ID),
  method: z.literal("POST", { error: "must be POST" }),
  url: z.string(),
  body: z.record(z.string(), z.unknown(), { error: "must be the body of the call, an object" }),
});

export const BatchError = z.object({
  code: z.string(),
  message: z.string(),
  param: z.string().nullable(),
  line: z.int().nullable().meta({ description: "From 1 on" }),
});
export type BatchError = z.infer<typeof BatchError>;

const time = z.int().nullable();

export const OpenAiBatch = z
  .object({
    id: z.string(),
    object: z.literal("batch"),
    endpoint: z.enum(BATCH_ENDPOINTS),
    errors: z
      .object({ object: z.literal("list"), data: z.array(BatchError) })
      .nullable()
      .meta({ description: "Why it failed, or what its end waits for" }),
    input_file_id: z.string(),
    completion_window: z.literal("24h"),
    status: z.enum(BATCH_STATUSES),
    output_file_id: z.string().nullable(),
    error_file_id: z.string().nullable(),
    created_at: z.int().meta({ description: "Unix s, as all times" }),
    in_progress_at: time,
    expires_at: z.int(),
    finalizing_at: time,
    completed_at: time,
    failed_at: time,
    expired_at: time,
    cancelling_at: time,
    cancelled_at: time,
    request_counts: z.object({ total: z.int(), completed: z.int(), failed: z.int() }),
    metadata: z.record(z.string(), z.string()).nullable(),
    model: z.string().nullable(),
  })
  .meta({ id: "OpenAiBatch" });
export type OpenAiBatch = z.infer<typeof OpenAiBatch>;

/** A line of an output or error file. */
export interface BatchOutputLine {
  readonly id: string;
  readonly custom_id: string;
  readonly response: {
    readonly status_code: number;
    readonly request_id: string;
    readonly body: unknown;
  } | null;
  readonly error: { readonly code: string; readonly message: string } | null;
}

export const BatchRequest = z.strictObject({
  input_file_id: z.string().max(MAX_ID),
  endpoint: z.enum(BATCH_ENDPOINTS, { error: `must be one of ${BATCH_ENDPOINTS.join(", ")}` }),
  completion_window: z.literal("24h", { error: "must be 24h" }),
  metadata: maybe(Metadata),
  output_expires_after: refused("output files are kept as artifacts are"),
});
export type BatchRequest = z.infer<typeof BatchRequest>;

/** Its owner's, or an administrator's. */
const access = ["client", "admin"] as const;
const tag = "OpenAI";
const params = z.object({ batch_id: z.string().max(MAX_ID) });

export const createBatch = route({
  method: "POST",
  path: "/v1/batches",
  access: ["client"],
  tag,
  summary: "Run all calls of a file",
  description:
    "The file was uploaded for the purpose `batch`. Each of its lines becomes a job that waits until a miner is idle; the answers stand in a file when all have ended, or after 24 h.",
  headers: z.object({
    "idempotency-key": z
      .string()
      .min(1)
      .max(MAX_IDEMPOTENCY_KEY)
      .optional()
      .meta({ description: "The same call with the same key gives the same batch" }),
  }),
  body: BatchRequest,
  errors: OPENAI_ERRORS,
  responses: { 200: { description: "The batch", schema: OpenAiBatch } },
});

export const BatchPage = pageOf(OpenAiBatch);
export type BatchPage = z.infer<typeof BatchPage>;

export const listBatches = route({
  method: "GET",
  path: "/v1/batches",
  access,
  tag,
  summary: "Batches, newest first",
  description: "A client's own, an administrator's all.",
  query: z.object({
    limit: z.coerce.number().int().min(1).max(MAX_BATCH_PAGE).default(DEFAULT_BATCH_PAGE),
    after: z.string().max(MAX_ID).optional().meta({ description: "The last id of the page before" }),
  }),
  errors: OPENAI_ERRORS,
  responses: { 200: { description: "A page of them", schema: BatchPage } },
});

export const getBatch = route({
  method: "GET",
  path: "/v1/batches/:batch_id",
  access,
  tag,
  summary: "Where a batch stands",
  params,
  errors: OPENAI_ERRORS,
  responses: { 200: { description: "The batch", schema: OpenAiBatch } },
});

export const cancelBatch = route({
  method: "POST",
  path: "/v1/batches/:batch_id/cancel",
  access,
  tag,
  summary: "Cancel a batch",
  description: "What runs is stopped; what has ended is kept, and stands in the output file.",
  params,
  errors: OPENAI_ERRORS,
  responses: { 200: { description: "The batch, canceled or about to be", schema: OpenAiBatch } },
});

export const BATCH_ROUTES = [createBatch, listBatches, getBatch, cancelBatch] as const;
