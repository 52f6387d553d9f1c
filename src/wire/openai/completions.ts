import { z } from "zod";
import { route } from "../access.ts";
import { CallHeaders, Extension, JOB_HEADERS_NOTE, maybe, OpenAiUsage, refused, SAMPLING } from "./common.ts";
import { OPENAI_ERRORS } from "./errors.ts";

/** Alternatives that this older call may ask for: OpenAI's own limit. */
const MAX_TEXT_LOGPROBS = 5;

const ONE_PROMPT = "must be one text: send several in several calls, and tokens as text";

export const CompletionRequest = z
  .strictObject({
    ...SAMPLING,
    prompt: z
      .union([z.string().min(1), z.array(z.string().min(1)).length(1)], { error: ONE_PROMPT })
      .meta({ description: "Continued as it is, without the model's chat template" }),
    best_of: maybe(z.int().min(1)).meta({ description: "As large as n: nothing is made to be thrown away" }),
    echo: maybe(z.boolean()).meta({ description: "The prompt stands before each choice" }),
    logprobs: maybe(z.int().min(0).max(MAX_TEXT_LOGPROBS)),
    suffix: refused("put what comes after into the prompt"),
  })
  .refine(({ best_of, n }) => (best_of ?? 1) === (n ?? 1) || best_of == null, {
    path: ["best_of"],
    message: "must be as large as n: nothing is made here to be thrown away",
  })
  .refine(({ echo, logprobs }) => !echo || logprobs == null, {
    path: ["logprobs"],
    message: "of an echoed prompt are not known; leave echo or logprobs out",
  })
  .refine(({ stream, stream_options }) => !stream_options || stream === true, {
    path: ["stream_options"],
    message: "goes with stream: true",
  });
export type CompletionRequest = z.infer<typeof CompletionRequest>;

export const TextLogprobs = z.object({
  tokens: z.array(z.string()),
  token_logprobs: z.array(z.number()),
  top_logprobs: z.array(z.record(z.string(), z.number())),
  text_offset: z.array(z.int()),
});
export type TextLogprobs = z.infer<typeof TextLogprobs>;

export const Completion = z.object({
  id: z.string(),
  object: z.literal("text_completion"),
  created: z.int(),
  model: z.string(),
  choices: z.array(
    z.object({
      index: z.int(),
      text: z.string(),
      logprobs: TextLogprobs.nullable(),
      finish_reason: z.string(),
    }),
  ),
  usage: OpenAiUsage.optional(),
  aitbc: Extension,
});
export type Completion = z.infer<typeof Completion>;

export const createCompletion = route({
  method: "POST",
  path: "/v1/completions",
  access: ["client"],
  tag: "OpenAI",
  summary: "Continue a text",
  description: `As OpenAI's API does. ${JOB_HEADERS_NOTE}`,
  headers: CallHeaders,
  body: CompletionRequest,
  errors: OPENAI_ERRORS,
  responses: { 200: { description: "The continuation", schema: Completion } },
});
