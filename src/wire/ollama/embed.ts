import { z } from "zod";
import { MAX_EMBEDDING_INPUTS } from "../../domain/job/deltas.ts";
import { route } from "../access.ts";
import { MAX_DIMENSIONS } from "../limits.ts";
import { CallHeaders, Extension } from "../openai/common.ts";
import { ANY, maybe, NOT_CUT, OLLAMA_ERRORS } from "./common.ts";

/** Vectors depend on no option. */
const NoOptions = maybe(z.strictObject({}));

export const OllamaEmbed = z.strictObject({
  ...ANY,
  input: maybe(z.union([z.string(), z.array(z.string().min(1)).max(MAX_EMBEDDING_INPUTS)])).meta({
    description: "None: only whether the model is known",
  }),
  truncate: NOT_CUT,
  dimensions: maybe(z.int().min(1).max(MAX_DIMENSIONS)),
  options: NoOptions,
});
export type OllamaEmbed = z.infer<typeof OllamaEmbed>;

export const ollamaEmbed = route({
  method: "POST",
  path: "/api/embed",
  access: ["client"],
  tag: "Ollama",
  summary: "Vectors of texts",
  headers: CallHeaders,
  body: OllamaEmbed,
  errors: OLLAMA_ERRORS,
  responses: {
    200: {
      description: "The vectors, in the order of the texts",
      schema: z.object({
        model: z.string(),
        embeddings: z.array(z.array(z.number())),
        total_duration: z.int().optional(),
        load_duration: z.int().optional(),
        prompt_eval_count: z.int().optional(),
        aitbc: Extension.optional(),
      }),
    },
  },
});

export const ollamaEmbeddings = route({
  method: "POST",
  path: "/api/embeddings",
  access: ["client"],
  tag: "Ollama",
  summary: "The vector of one text, as older clients ask for it",
  headers: CallHeaders,
  body: z.strictObject({ ...ANY, prompt: maybe(z.string()), options: NoOptions }),
  errors: OLLAMA_ERRORS,
  responses: { 200: { description: "The vector", schema: z.object({ embedding: z.array(z.number()) }) } },
});
