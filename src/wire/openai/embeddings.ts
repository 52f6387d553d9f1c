import { z } from "zod";
import { MAX_EMBEDDING_INPUTS } from "../../domain/job/deltas.ts";
import { route } from "../access.ts";
import { MAX_DIMENSIONS } from "../limits.ts";
import { ModelName } from "../scalars.ts";
import { CallHeaders, Extension, ignored, JOB_HEADERS_NOTE, maybe } from "./common.ts";
import { OPENAI_ERRORS } from "./errors.ts";

const MAX_USER = 512;

/** Tokens are numbers, or lists of them. */
const Text = z.string({ error: "must be a text: tokens are not supported, send the text itself" }).min(1);

export const EmbeddingRequest = z.strictObject({
  model: ModelName,
  input: z.union([Text, z.array(Text).min(1).max(MAX_EMBEDDING_INPUTS)], {
    error: `must be a text, or 1 to ${MAX_EMBEDDING_INPUTS} texts; none may be empty`,
  }),
  encoding_format: maybe(z.enum(["float", "base64"])),
  dimensions: maybe(z.int().min(1).max(MAX_DIMENSIONS)),
  user: ignored(z.string().max(MAX_USER), "jobs belong to the owner of the API key"),
});
export type EmbeddingRequest = z.infer<typeof EmbeddingRequest>;

export const EmbeddingList = z.object({
  object: z.literal("list"),
  data: z.array(
    z.object({
      object: z.literal("embedding"),
      index: z.int(),
      embedding: z
        .union([z.array(z.number()), z.string()])
        .meta({ description: "Numbers, or 32-bit floats, little-endian, as base64" }),
    }),
  ),
  model: z.string(),
  usage: z.object({ prompt_tokens: z.int(), total_tokens: z.int() }).optional(),
  aitbc: Extension,
});
export type EmbeddingList = z.infer<typeof EmbeddingList>;

export const createEmbedding = route({
  method: "POST",
  path: "/v1/embeddings",
  access: ["client"],
  tag: "OpenAI",
  summary: "Vectors of texts",
  description: `As OpenAI's API does. ${JOB_HEADERS_NOTE}`,
  headers: CallHeaders,
  body: EmbeddingRequest,
  errors: OPENAI_ERRORS,
  responses: { 200: { description: "The vectors, in the order of the texts", schema: EmbeddingList } },
});
