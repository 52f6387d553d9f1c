import type { ChatMessage, InferencePayload } from "../../../wire/jobs.ts";
import type { ChatRequest } from "../../../wire/openai/chat.ts";
import type { OpenAiMessage } from "../../../wire/openai/messages.ts";
import { type ReadImage, readImageUrl } from "../images.ts";
import { toSampling } from "./sampling.ts";

/** How OpenAI's API calls the members of a payload that it names otherwise. */
export const CHAT_NAMES = { format: "response_format", think: "reasoning_effort" } as const;

export interface ChatJob {
  readonly payload: InferencePayload;
  readonly images: readonly ReadImage[];
}

/** What a chat asks of a job. @throws AppError INVALID_PAYLOAD for an image that is none */
export function toChatJob(request: ChatRequest, usualMaxTokens: number | undefined): ChatJob {
  const images: ReadImage[] = [];
  const messages = request.messages.map((message, index) => toMessage(message, index, images));
  const { logprobs, top_logprobs, tools, tool_choice, reasoning_effort } = request;
  const maxTokens = request.max_completion_tokens ?? request.max_tokens ?? usualMaxTokens;
  return {
    images,
    payload: {
      type: "inference",
      messages,
      ...toSampling(request),
      ...(maxTokens !== undefined && { max_tokens: maxTokens }),
      ...(logprobs === true && { logprobs: top_logprobs ?? 0 }),
      ...toFormat(request.response_format),
      ...(tools && tools.length > 0 && { tools: tools.map(toTool) }),
      ...(tool_choice && tools && tools.length > 0 && { tool_choice: toToolChoice(tool_choice) }),
      ...(reasoning_effort && { think: EFFORTS[reasoning_effort] }),
    },
  };
}

const EFFORTS = {
  none: false,
  minimal: "low",
  low: "low",
  medium: "medium",
  high: "high",
  xhigh: "high",
} as const;

type Content = Exclude<OpenAiMessage["content"], null | undefined>;

function toMessage(message: OpenAiMessage, index: number, images: ReadImage[]): ChatMessage {
  const content = toContent(message.content ?? "", index, images);
  switch (message.role) {
    case "system":
    case "developer":
      return { role: "system", content };
    case "user":
      return { role: "user", content };
    case "tool":
      return { role: "tool", content, tool_call_id: message.tool_call_id };
    case "assistant": {
      const calls = message.tool_calls ?? [];
      const tool_calls = calls.map(({ id, function: { name, arguments: text } }) => ({
        id,
        name,
        arguments: text,
      }));
      return { role: "assistant", content, ...(tool_calls.length > 0 && { tool_calls }) };
    }
  }
}

function toContent(content: Content, index: number, images: ReadImage[]): ChatMessage["content"] {
  if (typeof content === "string") return content;
  if (content.length === 0) return "";
  return content.map((part, place) => {
    if (part.type === "text") return part;
    const image = readImageUrl(part.image_url.url, `/messages/${index}/content/${place}/image_url/url`);
    images.push(image);
    return { type: "image", sha256: image.sha256, media_type: image.mediaType };
  });
}

function toFormat(format: ChatRequest["response_format"]): Pick<InferencePayload, "format"> {
  if (!format || format.type === "text") return {};
  const schema = format.type === "json_schema" ? format.json_schema.schema : undefined;
  return { format: schema ? { type: "json_schema", schema } : { type: "json" } };
}

type Tool = NonNullable<ChatRequest["tools"]>[number];

function toTool({ function: { name, description, parameters } }: Tool) {
  return { name, ...(description && { description }), ...(parameters && { parameters }) };
}

type ToolChoice = NonNullable<ChatRequest["tool_choice"]>;

function toToolChoice(choice: ToolChoice): NonNullable<InferencePayload["tool_choice"]> {
  return typeof choice === "string" ? choice : { name: choice.function.name };
}
