import { AppError } from "../../../kernel/errors.ts";
import type { ChatMessage, EmbeddingPayload, InferencePayload, JobPayload } from "../../../wire/jobs.ts";
import { MAX_KEEP_ALIVE_SECONDS } from "../../../wire/limits.ts";
import type { OllamaChat, OllamaGenerate, OllamaMessage } from "../../../wire/ollama/chat.ts";
import type { OllamaOptions } from "../../../wire/ollama/common.ts";
import type { OllamaEmbed } from "../../../wire/ollama/embed.ts";
import { type ReadImage, readImage } from "../images.ts";

/** How Ollama's API calls the members of a payload that it names otherwise. */
export const OLLAMA_NAMES = { context_tokens: "num_ctx", n: "options", prompt: "prompt" } as const;

/** A job with the images that it names. */
export interface OllamaJob<Payload extends JobPayload = JobPayload> {
  readonly payload: Payload;
  readonly images: readonly ReadImage[];
}

/** What the model is called here, and how long its answers may be where the caller names no bound. */
export interface Target {
  readonly model: string;
  readonly usualMaxTokens: number | undefined;
}

/** What a chat asks of a job. @throws AppError INVALID_PAYLOAD for an image that is none, or an answer to no call */
export function toChatJob(request: OllamaChat, target: Target): OllamaJob<InferencePayload> {
  const images: ReadImage[] = [];
  const calls = new Calls();
  const messages = (request.messages ?? []).map((message, at) => toMessage(message, at, calls, images));
  const tools = (request.tools ?? []).map(({ function: { name, description, parameters } }) => ({
    name,
    ...(description != null && { description }),
    ...(parameters && { parameters }),
  }));
  return {
    images,
    payload: { ...toCommon(request, target), messages, ...(tools.length > 0 && { tools }) },
  };
}

/** What a completion asks of a job. @throws AppError INVALID_PAYLOAD */
export function toGenerateJob(request: OllamaGenerate, target: Target): OllamaJob<InferencePayload> {
  const { system, raw } = request;
  const prompt = request.prompt ?? "";
  const images = (request.images ?? []).map((image, at) => readImage(image, `/images/${at}`));
  const common = toCommon(request, target);
  if (raw && images.length > 0) throw invalid("/images", "have no place in a raw prompt");
  if (raw && system) throw invalid("/system", "has no place before a raw prompt");
  if (raw) return { images, payload: { ...common, prompt, raw: true } };
  if (images.length === 0) return { images, payload: { ...common, prompt, ...(system && { system }) } };
  const first: ChatMessage[] = system ? [{ role: "system", content: system }] : [];
  return {
    images,
    payload: { ...common, messages: [...first, { role: "user", content: withImages(prompt, images) }] },
  };
}

/** What a call for vectors asks of a job; undefined where it names no text. */
export function toEmbeddingPayload(
  { input, dimensions, keep_alive }: Pick<OllamaEmbed, "input" | "dimensions" | "keep_alive">,
  model: string,
): EmbeddingPayload | undefined {
  const texts = typeof input === "string" ? [input] : (input ?? []);
  if (texts.length === 0 || (typeof input === "string" && input === "")) return undefined;
  return {
    type: "embedding",
    model,
    input: texts,
    ...(dimensions != null && { dimensions }),
    ...toKeepAlive(keep_alive),
  };
}

const MS_PER: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
};
const MS_PER_SECOND = 1000;

/** Seconds of a duration as Go writes it, or of a number of seconds; below 0: as long as can be. */
export function toSeconds(duration: string | number): number {
  const text = String(duration);
  const parts = [...text.matchAll(/(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h)/g)];
  const ms =
    parts.length === 0
      ? Math.abs(Number(text)) * MS_PER_SECOND
      : parts.reduce((sum, [, count, unit = ""]) => sum + Number(count) * (MS_PER[unit] ?? 0), 0);
  if (text.startsWith("-") && ms > 0) return MAX_KEEP_ALIVE_SECONDS;
  return Math.min(MAX_KEEP_ALIVE_SECONDS, Math.ceil(ms / MS_PER_SECOND));
}

function toKeepAlive(
  keepAlive: string | number | null | undefined,
): Pick<InferencePayload, "keep_alive_seconds"> {
  return keepAlive == null ? {} : { keep_alive_seconds: toSeconds(keepAlive) };
}

type Common = Omit<InferencePayload, "prompt" | "messages">;

function toCommon(request: OllamaChat | OllamaGenerate, target: Target): Common {
  const { format, think, logprobs, top_logprobs } = request;
  return {
    type: "inference",
    model: target.model,
    ...toSampling(request.options ?? {}, target.usualMaxTokens),
    ...(format && { format: format === "json" ? { type: "json" } : { type: "json_schema", schema: format } }),
    ...(think != null && { think }),
    ...((logprobs || top_logprobs) && { logprobs: top_logprobs ?? 0 }),
    ...toKeepAlive(request.keep_alive),
  };
}

const SEEDS = 2 ** 32;

/** The options. What asks for nothing is left out, so that no engine lacks it. */
function toSampling(options: OllamaOptions, usualMaxTokens: number | undefined): Partial<InferencePayload> {
  const { temperature, top_k, top_p, min_p, seed, num_ctx, num_predict, stop } = options;
  const { repeat_penalty, presence_penalty, frequency_penalty } = options;
  const stops = typeof stop === "string" ? [stop] : (stop ?? []);
  const maxTokens = num_predict != null && num_predict > 0 ? num_predict : usualMaxTokens;
  return {
    ...(maxTokens !== undefined && { max_tokens: maxTokens }),
    ...(temperature != null && { temperature }),
    ...(top_k != null && top_k > 0 && { top_k }),
    ...(top_p != null && { top_p }),
    ...(min_p ? { min_p } : {}),
    ...(seed != null && seed >= 0 && { seed: seed % SEEDS }),
    ...(num_ctx != null && { context_tokens: num_ctx }),
    ...(stops.length > 0 && { stop: stops }),
    ...(repeat_penalty != null && repeat_penalty !== 1 && { repeat_penalty }),
    ...(presence_penalty ? { presence_penalty } : {}),
    ...(frequency_penalty ? { frequency_penalty } : {}),
  };
}

/** Calls of a conversation: Ollama's clients name the tool that answers where a job names the call. */
class Calls {
  readonly #waiting: { readonly id: string; readonly name: string }[] = [];
  #count = 0;

  add(id: string | undefined, name: string): string {
    const call = { id: id ?? `call_${this.#count}`, name };
    this.#count++;
    this.#waiting.push(call);
    return call.id;
  }

  /** The call that a message answers: the one it names, or the first without an answer, of its tool. */
  answered({ tool_call_id, tool_name }: OllamaMessage): string | undefined {
    const at = this.#waiting.findIndex(({ id, name }) =>
      tool_call_id == null ? tool_name == null || name === tool_name : id === tool_call_id,
    );
    return at < 0 ? (tool_call_id ?? undefined) : this.#waiting.splice(at, 1)[0]?.id;
  }
}

function toMessage(message: OllamaMessage, at: number, calls: Calls, images: ReadImage[]): ChatMessage {
  const { role } = message;
  const content = message.content ?? "";
  const pictures = (message.images ?? []).map((image, place) =>
    readImage(image, `/messages/${at}/images/${place}`),
  );
  images.push(...pictures);
  if (role === "tool") {
    const tool_call_id = calls.answered(message);
    if (tool_call_id === undefined) throw invalid(`/messages/${at}`, "answers no call of the assistant");
    return { role, content, tool_call_id };
  }
  const called = message.tool_calls ?? [];
  if (called.length > 0 && role !== "assistant") {
    throw invalid(`/messages/${at}/tool_calls`, "only the assistant calls tools");
  }
  const tool_calls = called.map(({ id, function: { name, arguments: values } }) => ({
    id: calls.add(id, name),
    name,
    arguments: JSON.stringify(values),
  }));
  return {
    role,
    content: withImages(content, pictures),
    ...(tool_calls.length > 0 && { tool_calls }),
  };
}

function withImages(text: string, images: readonly ReadImage[]): ChatMessage["content"] {
  if (images.length === 0) return text;
  return [
    ...(text === "" ? [] : [{ type: "text" as const, text }]),
    ...images.map(({ sha256, mediaType }) => ({ type: "image" as const, sha256, media_type: mediaType })),
  ];
}

function invalid(pointer: string, what: string): AppError {
  return new AppError("INVALID_PAYLOAD", `${pointer}: ${what}`, {
    meta: { pointer, fault: "invalid", what },
  });
}
