/** What a request of ours is in the words of OpenAI's API. */
import { AppError } from "../../../kernel/errors.ts";
import type { EngineMessage, EngineRequest, EngineTool } from "./engine.ts";
import type { Dialect } from "./openai-models.ts";

/** Members of a request that the API has a place for beyond those that every engine understands. */
export const OPENAI_MEMBERS = [
  "min_p",
  "frequency_penalty",
  "presence_penalty",
  "repeat_penalty",
  "logprobs",
  "format",
  "tools",
  "think",
] as const satisfies readonly (keyof EngineRequest)[];

type Json = Readonly<Record<string, unknown>>;

/** Where a request goes, and its body. */
export interface OpenAiCall {
  readonly path: string;
  readonly body: Json;
}

/**
 * A request as a call, streamed.
 * @throws AppError UNSUPPORTED_FEATURE, naming a member that this kind of server does not know, or a prefix that it
 * cannot go on with
 */
export function toCall(request: EngineRequest, dialect: Dialect): OpenAiCall {
  const body = { ...commonMembers(request, dialect), stream: true, stream_options: { include_usage: true } };
  if (request.messages === undefined) {
    const { prompt = "", prefix, logprobs } = request;
    return {
      path: "/completions",
      body: { ...body, prompt: prompt + prefix, ...(logprobs !== undefined && { logprobs }) },
    };
  }
  const { logprobs } = request;
  return {
    path: "/chat/completions",
    body: {
      ...body,
      ...conversation(request, dialect),
      ...thinking(request, dialect),
      ...toolMembers(request),
      ...(logprobs !== undefined && { logprobs: true, top_logprobs: logprobs }),
    },
  };
}

function commonMembers(request: EngineRequest, dialect: Dialect): Json {
  const { model, max_tokens, temperature, format } = request;
  return {
    model,
    max_tokens,
    temperature,
    ...pick(request, ["top_p", "seed", "stop", "frequency_penalty", "presence_penalty"]),
    ...rename(request, "top_k", dialect.top_k ? "top_k" : undefined),
    ...rename(request, "min_p", dialect.min_p ? "min_p" : undefined),
    ...rename(request, "repeat_penalty", dialect.repeat_penalty),
    ...(format && { response_format: toResponseFormat(format) }),
  };
}

/** The messages. A prefix is the assistant's last one, which the server goes on with. */
function conversation({ messages = [], prefix }: EngineRequest, { continues }: Dialect): Json {
  const asked = messages.map(toMessage);
  if (prefix === "") return { messages: asked };
  if (continues === "no") {
    throw new AppError("UNSUPPORTED_FEATURE", "the server cannot go on with an answer that has begun", {
      meta: { member: "messages" },
    });
  }
  return {
    messages: [...asked, { role: "assistant", content: prefix }],
    ...(continues === "flags" && { continue_final_message: true, add_generation_prompt: false }),
  };
}

/** Whether the model thinks. Models that always do are not asked to stop; others are told, since many would. */
function thinking({ think }: EngineRequest, { thinks }: Dialect): Json {
  const effort = typeof think === "string" ? { reasoning_effort: think } : {};
  if (thinks === "template") {
    return { chat_template_kwargs: { enable_thinking: think !== undefined && think !== false }, ...effort };
  }
  if (think === true) return { reasoning_effort: "medium" };
  return typeof think !== "string" && thinks === "effort-or-none" ? { reasoning_effort: "none" } : effort;
}

function toolMembers({ tools = [], tool_choice }: EngineRequest): Json {
  if (tools.length === 0) return {};
  const choice =
    typeof tool_choice === "object"
      ? { type: "function", function: { name: tool_choice.name } }
      : tool_choice;
  return { tools: tools.map(toTool), ...(choice !== undefined && { tool_choice: choice }) };
}

function toTool({ name, description, parameters }: EngineTool): Json {
  return {
    type: "function",
    function: {
      name,
      ...(description !== undefined && { description }),
      ...(parameters && { parameters }),
    },
  };
}

function toMessage({ role, content, images = [], tool_calls, tool_call_id }: EngineMessage): Json {
  const pictures = images.map(({ media_type, data }) => ({
    type: "image_url",
    image_url: { url: `data:${media_type};base64,${data}` },
  }));
  const text = content === "" ? [] : [{ type: "text", text: content }];
  return {
    role,
    content: pictures.length > 0 ? [...text, ...pictures] : content,
    ...(tool_calls && {
      tool_calls: tool_calls.map(({ id, name, arguments: text }) => ({
        id,
        type: "function",
        function: { name, arguments: text },
      })),
    }),
    ...(tool_call_id !== undefined && { tool_call_id }),
  };
}

function toResponseFormat(format: NonNullable<EngineRequest["format"]>): Json {
  if (format.type === "json") return { type: "json_object" };
  return { type: "json_schema", json_schema: { name: "answer", strict: true, schema: format.schema } };
}

function pick(request: EngineRequest, names: readonly (keyof EngineRequest)[]): Json {
  return Object.fromEntries(
    names.flatMap((name) => (request[name] === undefined ? [] : [[name, request[name]]])),
  );
}

/** A member under the server's name for it. @throws AppError UNSUPPORTED_FEATURE where it has none */
function rename(
  request: EngineRequest,
  member: "top_k" | "min_p" | "repeat_penalty",
  name: string | undefined,
): Json {
  const value = request[member];
  if (value === undefined) return {};
  if (name !== undefined) return { [name]: value };
  throw new AppError(
    "UNSUPPORTED_FEATURE",
    `the server is not known to support ${member}; miner.engines.openai.server says what it is`,
    { meta: { member } },
  );
}
