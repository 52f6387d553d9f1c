/** What a request of ours is in Ollama's words. */
import type { Message, Options, Tool } from "ollama/browser";
import { AppError } from "../../../kernel/errors.ts";
import type { EngineMessage, EngineRequest, EngineTool } from "./engine.ts";

/** Members of a request that Ollama understands beyond those that every engine does. */
export const OLLAMA_MEMBERS = [
  "min_p",
  "frequency_penalty",
  "presence_penalty",
  "repeat_penalty",
  "logprobs",
  "format",
  "tools",
  "think",
] as const satisfies readonly (keyof EngineRequest)[];

/** The members that a chat and a completion share. `contextTokens`: what the model gets, where that is known. */
export function commonMembers(request: EngineRequest, contextTokens: number | undefined) {
  const { model, format, logprobs, keep_alive_seconds, think = false } = request;
  return {
    model,
    stream: true as const,
    // Whoever did not ask for thoughts does not pay for them, and a continuation could not take them up.
    think,
    options: optionsOf(request, contextTokens),
    // Without these a server silently forgets what does not fit, and answers something else.
    truncate: false,
    shift: false,
    ...(format && { format: format.type === "json" ? "json" : format.schema }),
    ...(logprobs !== undefined && { logprobs: true, top_logprobs: logprobs }),
    ...(keep_alive_seconds !== undefined && { keep_alive: keep_alive_seconds }),
  };
}

/**
 * The members of a chat: the conversation, and the tools. A prefix is the assistant's last message, which Ollama
 * goes on with.
 * @throws AppError UNSUPPORTED_FEATURE for a choice of tools, which Ollama leaves to the model; INVALID_PAYLOAD for
 * calls whose arguments are no JSON object
 */
export function chatMembers({ messages = [], prefix, tools = [], tool_choice = "auto" }: EngineRequest): {
  readonly messages: Message[];
  readonly tools?: Tool[];
} {
  if (tools.length > 0 && tool_choice !== "auto" && tool_choice !== "none") {
    throw new AppError("UNSUPPORTED_FEATURE", "Ollama does not support tool_choice; leave it to the model", {
      meta: { member: "tool_choice" },
    });
  }
  const begun = prefix === "" ? [] : [{ role: "assistant", content: prefix }];
  return {
    messages: [...messages.map((message) => toMessage(message, messages)), ...begun],
    ...(tools.length > 0 && tool_choice !== "none" && { tools: tools.map(toTool) }),
  };
}

function optionsOf(request: EngineRequest, contextTokens: number | undefined): Partial<Options> {
  const { max_tokens, temperature, top_p = 1, top_k = 0, min_p = 0, seed, stop } = request;
  const { frequency_penalty = 0, presence_penalty = 0, repeat_penalty = 1 } = request;
  return {
    num_predict: max_tokens,
    temperature,
    top_p,
    top_k,
    min_p,
    frequency_penalty,
    presence_penalty,
    repeat_penalty,
    ...(contextTokens !== undefined && { num_ctx: contextTokens }),
    ...(seed !== undefined && { seed }),
    ...(stop && { stop: [...stop] }),
  };
}

function toMessage(message: EngineMessage, conversation: readonly EngineMessage[]): Message {
  const { role, content, images, tool_calls, tool_call_id } = message;
  return {
    role,
    content,
    ...(images && { images: images.map(({ data }) => data) }),
    ...(tool_calls && {
      tool_calls: tool_calls.map(({ id, name, arguments: text }) => ({
        id,
        function: { name, arguments: parseArguments(text) },
      })),
    }),
    ...(tool_call_id !== undefined && { tool_call_id, tool_name: nameOfCall(tool_call_id, conversation) }),
  };
}

/** Ollama tells by its name which tool has answered. */
function nameOfCall(callId: string, conversation: readonly EngineMessage[]): string {
  const calls = conversation.flatMap(({ tool_calls = [] }) => tool_calls);
  return calls.findLast(({ id }) => id === callId)?.name ?? callId;
}

function parseArguments(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text === "" ? "{}" : text);
    if (typeof value === "object" && value !== null && !Array.isArray(value)) return { ...value };
  } catch {
    // Told below.
  }
  throw new AppError("INVALID_PAYLOAD", "messages: the arguments of a call must be a JSON object", {
    meta: { member: "messages" },
  });
}

function toTool({ name, description, parameters = { type: "object", properties: {} } }: EngineTool): Tool {
  return {
    type: "function",
    function: {
      name,
      ...(description !== undefined && { description }),
      // The package names a few members of a JSON Schema; Ollama takes them all.
      parameters: parameters as NonNullable<Tool["function"]["parameters"]>,
    },
  };
}
