import { z } from "zod";
import { MAX_CHOICES } from "../../domain/job/deltas.ts";
import { DEADLINE_HEADER, DeadlineMs } from "../deadline.ts";
import {
  MAX_IDEMPOTENCY_KEY,
  MAX_LOGPROBS,
  MAX_STOP_CHARACTERS,
  MAX_STOP_STRINGS,
  MAX_TOKENS,
} from "../limits.ts";
import { ModelName } from "../scalars.ts";

/** Largest body, in bytes: images travel in it. Without them it must fit a job. */
export const MAX_OPENAI_BODY_BYTES = 20 * 1024 * 1024;
/** Entries of `metadata`, and their longest key and value: OpenAI's own limits. */
const MAX_METADATA = 16;
const MAX_METADATA_KEY = 64;
const MAX_METADATA_VALUE = 512;
/** Longest text by which a caller names its own user. */
const MAX_USER = 512;

/** A member that may be left out or null, as OpenAI's API allows everywhere. */
export const maybe = <Schema extends z.ZodType>(schema: Schema) => schema.nullish();

/** A member that is known and cannot be had: null or nothing. `instead` says what to do. */
export const refused = (instead: string) =>
  z
    .null({ error: `is not supported here; ${instead}` })
    .optional()
    .meta({ description: `Not supported; ${instead}` });

/** A member that changes nothing here. */
export const ignored = <Schema extends z.ZodType>(schema: Schema, why: string) =>
  maybe(schema).meta({ description: `Changes nothing: ${why}` });

const StopString = z.string().min(1).max(MAX_STOP_CHARACTERS);

/** The members that chat and text completions share. */
export const SAMPLING = {
  model: ModelName,
  temperature: maybe(z.number().min(0).max(2)).meta({ description: "Absent: the miner's usual one, 0.7" }),
  top_p: maybe(z.number().min(0).max(1)),
  n: maybe(z.int().min(1).max(MAX_CHOICES)),
  stop: maybe(z.union([StopString, z.array(StopString).max(MAX_STOP_STRINGS)])),
  seed: maybe(z.int()).meta({ description: "Its lower 32 bits count" }),
  frequency_penalty: maybe(z.number().min(-2).max(2)),
  presence_penalty: maybe(z.number().min(-2).max(2)),
  max_tokens: maybe(z.int().min(1).max(MAX_TOKENS)).meta({
    description: "Absent: 4096, or half of the model's context where that is less",
  }),
  logit_bias: maybe(
    z.record(z.string(), z.number()).refine((bias) => Object.keys(bias).length === 0, {
      message: "is not supported by the engines here; leave it out",
    }),
  ),
  stream: maybe(z.boolean()),
  stream_options: maybe(
    z.strictObject({
      include_usage: maybe(z.boolean()),
      include_obfuscation: maybe(z.literal(false, { error: "is not supported here; leave it out" })),
    }),
  ),
  user: ignored(z.string().max(MAX_USER), "jobs belong to the owner of the API key"),
};

export const TopLogprobs = z.int().min(0).max(MAX_LOGPROBS);

export const Metadata = z
  .record(z.string().max(MAX_METADATA_KEY), z.string().max(MAX_METADATA_VALUE))
  .refine((entries) => Object.keys(entries).length <= MAX_METADATA, {
    message: `has more than ${MAX_METADATA} entries`,
  });

/** Headers of a call that becomes a job. */
export const CallHeaders = z.object({
  "idempotency-key": z.string().min(1).max(MAX_IDEMPOTENCY_KEY).optional().meta({
    description:
      "The same call with the same key, within 24 h, joins the job of the first one and gets its whole answer. It implies X-Aitbc-Detach.",
  }),
  [DEADLINE_HEADER]: DeadlineMs.optional(),
  "x-aitbc-detach": z.enum(["true", "false"]).optional().meta({
    description:
      "true: the job runs on when the caller goes away, and is collected by its id. Else it is canceled then.",
  }),
});
export type CallHeaders = z.infer<typeof CallHeaders>;

export const OpenAiUsage = z.object({
  prompt_tokens: z.int(),
  completion_tokens: z.int(),
  total_tokens: z.int(),
});
export type OpenAiUsage = z.infer<typeof OpenAiUsage>;

/** What OpenAI's API has no place for. In a stream the first chunk has the job, the last one the receipt. */
export const Extension = z
  .object({
    job_id: z.string().optional(),
    miner_id: z.string().nullable().optional().meta({ description: "Who delivers from here on" }),
    seam: z.literal(true).optional().meta({ description: "Another miner goes on here" }),
    receipt_id: z.string().nullable().optional(),
    units: z.int().optional().meta({ description: "Units charged" }),
    segments: z
      .array(z.object({ segment: z.int(), miner_id: z.string().nullable() }))
      .optional()
      .meta({ description: "What each miner delivered has its own receipt" }),
  })
  .meta({ id: "AitbcExtension", description: "What OpenAI's API has no place for" });
export type Extension = z.infer<typeof Extension>;

export const JOB_HEADERS_NOTE =
  "`X-Aitbc-Job-Id` names the job: `GET /v1/jobs/{id}/events` goes on with its stream after the last `id:`, `GET /v1/jobs/{id}/result` collects it.";
