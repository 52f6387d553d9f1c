import { z } from "zod";
import { MAX_TOOL_CALLS } from "../../domain/job/deltas.ts";
import { route } from "../access.ts";
import { MAX_CALL_ID, MAX_MESSAGES, MAX_TOOL_DESCRIPTION, MAX_TOOL_NAME, MAX_TOOLS } from "../limits.ts";
import { CallHeaders, Extension, ignored } from "../openai/common.ts";
import {
  ANSWER,
  Counters,
  Images,
  MAX_OLLAMA_BODY_BYTES,
  maybe,
  OLLAMA_ERRORS,
  OllamaLogprobs,
  refused,
} from "./common.ts";

const JsonObject = z.record(z.string(), z.json());

export const OllamaToolCall = z.object({
  id: z.string().max(MAX_CALL_ID).optional(),
  function: z.object({
    index: z.int().optional(),
    name: z.string().min(1).max(MAX_TOOL_NAME),
    arguments: JsonObject,
  }),
});
export type OllamaToolCall = z.infer<typeof OllamaToolCall>;

const Message = z.strictObject({
  role: z.enum(["system", "user", "assistant", "tool"]),
  content: maybe(z.string()),
  images: maybe(Images),
  tool_calls: maybe(z.array(OllamaToolCall).max(MAX_TOOL_CALLS)),
  tool_name: maybe(z.string().max(MAX_TOOL_NAME)).meta({ description: "The tool that answers" }),
  tool_call_id: maybe(z.string().max(MAX_CALL_ID)),
  thinking: ignored(z.string(), "thoughts are not told again"),
});
export type OllamaMessage = z.infer<typeof Message>;

const Tool = z.strictObject({
  type: z.literal("function", { error: "must be function: other tools are not supported here" }).optional(),
  function: z.strictObject({
    name: z
      .string()
      .regex(/^[\w.:-]+$/, "must be letters, digits, _ . : or -")
      .max(MAX_TOOL_NAME),
    description: maybe(z.string().max(MAX_TOOL_DESCRIPTION)),
    parameters: maybe(JsonObject),
  }),
});

/** A chat as Ollama's clients ask for it. */
export const OllamaChat = z.strictObject({
  ...ANSWER,
  messages: maybe(z.array(Message).max(MAX_MESSAGES)).meta({
    description: "The assistant's words at the end are gone on with. None: only whether the model is known",
  }),
  tools: maybe(z.array(Tool).max(MAX_TOOLS)),
});
export type OllamaChat = z.infer<typeof OllamaChat>;

const LINE = {
  model: z.string(),
  created_at: z.string(),
  done: z.boolean(),
  logprobs: OllamaLogprobs.optional(),
  ...Counters.shape,
  aitbc: Extension.optional(),
};

const OllamaChatLine = z.object({
  ...LINE,
  message: z.object({
    role: z.literal("assistant"),
    content: z.string(),
    thinking: z.string().optional(),
    tool_calls: z.array(OllamaToolCall).optional(),
  }),
});

/** A completion as Ollama's clients ask for it. */
export const OllamaGenerate = z.strictObject({
  ...ANSWER,
  prompt: maybe(z.string()).meta({ description: "None: only whether the model is known" }),
  system: maybe(z.string()),
  raw: maybe(z.boolean()).meta({
    description: "The prompt is continued as it is, without the model's template",
  }),
  images: maybe(Images),
  suffix: maybe(z.literal("", { error: "is not supported here; put what comes after into the prompt" })),
  template: maybe(z.literal("", { error: "is not supported here; write the prompt out and set raw" })),
  context: maybe(
    z.array(z.int()).max(0, { error: "is not supported here; use /api/chat with its messages" }),
  ),
  width: refused("answers are texts"),
  height: refused("answers are texts"),
  steps: refused("answers are texts"),
});
export type OllamaGenerate = z.infer<typeof OllamaGenerate>;

const OllamaGenerateLine = z.object({
  ...LINE,
  response: z.string(),
  thinking: z.string().optional(),
});

const common = {
  method: "POST",
  access: ["client"],
  tag: "Ollama",
  headers: CallHeaders,
  maxBodyBytes: MAX_OLLAMA_BODY_BYTES,
  errors: OLLAMA_ERRORS,
} as const;
const NOTE =
  "As Ollama's API does: one JSON object a line, or a single one with `stream: false`. `X-Aitbc-Job-Id` names the job; the last line has its receipt in `aitbc`.";

export const ollamaChat = route({
  ...common,
  path: "/api/chat",
  summary: "Answer a conversation",
  description: NOTE,
  body: OllamaChat,
  responses: { 200: { description: "The answer, or its next line", schema: OllamaChatLine } },
});

export const ollamaGenerate = route({
  ...common,
  path: "/api/generate",
  summary: "Answer a prompt, or continue a text",
  description: NOTE,
  body: OllamaGenerate,
  responses: { 200: { description: "The answer, or its next line", schema: OllamaGenerateLine } },
});
