import { z } from "zod";
import { route } from "../access.ts";
import { MAX_MESSAGES, MAX_TOKENS } from "../limits.ts";
import {
  CallHeaders,
  Extension,
  ignored,
  JOB_HEADERS_NOTE,
  MAX_OPENAI_BODY_BYTES,
  Metadata,
  maybe,
  OpenAiUsage,
  refused,
  SAMPLING,
  TopLogprobs,
} from "./common.ts";
import { OPENAI_ERRORS } from "./errors.ts";
import { OpenAiMessage, OpenAiToolCall, ResponseFormat, ToolChoice, Tools } from "./messages.ts";

const MAX_CACHE_KEY = 512;

/** A chat as OpenAI's clients ask for it. Nothing that stands here is silently dropped: each member says so. */
export const ChatRequest = z
  .strictObject({
    ...SAMPLING,
    messages: z.array(OpenAiMessage).min(1).max(MAX_MESSAGES),
    max_completion_tokens: maybe(z.int().min(1).max(MAX_TOKENS)).meta({
      description: "Goes before max_tokens",
    }),
    logprobs: maybe(z.boolean()),
    top_logprobs: maybe(TopLogprobs),
    response_format: maybe(ResponseFormat),
    tools: maybe(Tools),
    tool_choice: maybe(ToolChoice),
    parallel_tool_calls: maybe(
      z.literal(true, { error: "cannot be turned off with the engines here; leave it out" }),
    ),
    reasoning_effort: maybe(z.enum(["none", "minimal", "low", "medium", "high", "xhigh"])).meta({
      description: "Asks for a model that thinks; absent: the model's way",
    }),
    service_tier: maybe(z.enum(["auto", "default", "flex", "priority"])).meta({
      description: "flex: after all others; priority: before them",
    }),
    metadata: ignored(Metadata, "nothing is kept beside the job"),
    store: ignored(
      z.literal(false, { error: "is not supported here; leave it out" }),
      "an answer is kept as its job is",
    ),
    safety_identifier: ignored(z.string().max(MAX_CACHE_KEY), "jobs belong to the owner of the API key"),
    prompt_cache_key: ignored(z.string().max(MAX_CACHE_KEY), "a conversation is found by its beginning"),
    prompt_cache_retention: ignored(
      z.enum(["in-memory", "in_memory", "24h"]),
      "miners decide what they keep",
    ),
    verbosity: maybe(z.literal("medium", { error: "is not supported here; say it in a message" })),
    modalities: maybe(
      z
        .array(z.literal("text", { error: "must be text: answers here are texts" }))
        .min(1)
        .max(1),
    ),
    audio: refused("answers are texts"),
    prediction: refused("leave it out"),
    web_search_options: refused("offer a tool that searches"),
    functions: refused("use tools"),
    function_call: refused("use tool_choice"),
  })
  .refine(({ logprobs, top_logprobs }) => (top_logprobs ?? 0) === 0 || logprobs === true, {
    path: ["top_logprobs"],
    message: "goes with logprobs: true",
  })
  .refine(({ stream, stream_options }) => !stream_options || stream === true, {
    path: ["stream_options"],
    message: "goes with stream: true",
  })
  .refine(({ tools, tool_choice }) => hasTool(tools ?? [], tool_choice ?? undefined), {
    path: ["tool_choice"],
    message: "needs tools, and names one of them",
  });
export type ChatRequest = z.infer<typeof ChatRequest>;

type Choice = z.infer<typeof ToolChoice> | undefined;

function hasTool(tools: z.infer<typeof Tools>, choice: Choice): boolean {
  if (choice === undefined || choice === "none" || choice === "auto") return true;
  if (choice === "required") return tools.length > 0;
  return tools.some((tool) => tool.function.name === choice.function.name);
}

const TokenLogprob = z.object({ token: z.string(), logprob: z.number(), bytes: z.array(z.int()) });
export const ChatLogprobs = z.object({
  content: z.array(TokenLogprob.extend({ top_logprobs: z.array(TokenLogprob) })),
  refusal: z.null(),
});
export type ChatLogprobs = z.infer<typeof ChatLogprobs>;

const FinishReason = z.string().meta({ description: "stop, length or tool_calls" });

export const ChatCompletion = z.object({
  id: z.string(),
  object: z.literal("chat.completion"),
  created: z.int(),
  model: z.string(),
  choices: z.array(
    z.object({
      index: z.int(),
      message: z.object({
        role: z.literal("assistant"),
        content: z.string().nullable(),
        reasoning_content: z.string().optional(),
        tool_calls: z.array(OpenAiToolCall).optional(),
        refusal: z.null(),
      }),
      logprobs: ChatLogprobs.nullable(),
      finish_reason: FinishReason,
    }),
  ),
  usage: OpenAiUsage.optional().meta({ description: "Absent where neither engine nor meter has counted" }),
  service_tier: z.string().optional(),
  aitbc: Extension,
});
export type ChatCompletion = z.infer<typeof ChatCompletion>;

export const createChatCompletion = route({
  method: "POST",
  path: "/v1/chat/completions",
  access: ["client"],
  tag: "OpenAI",
  summary: "Answer a conversation",
  description: `As OpenAI's API does. With \`stream\` the answer comes as server-sent events, with comments while the job waits, and \`data: [DONE]\` at its end. ${JOB_HEADERS_NOTE}`,
  headers: CallHeaders,
  body: ChatRequest,
  maxBodyBytes: MAX_OPENAI_BODY_BYTES,
  errors: OPENAI_ERRORS,
  responses: { 200: { description: "The answer", schema: ChatCompletion } },
});
