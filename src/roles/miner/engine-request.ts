import { type Meter, segmentUnits } from "../../domain/job/meter.ts";
import { AppError } from "../../kernel/errors.ts";
import type { ChatMessage, EmbeddingPayload, InferencePayload } from "../../wire/jobs.ts";
import type { Offer } from "../../wire/session.ts";
import type { EmbedRequest, EngineImage, EngineMessage, EngineRequest } from "./engines/engine.ts";

/** Tokens of an answer whose length the client left open: about a page; who wants more asks for more. */
const DEFAULT_MAX_TOKENS = 512;
/** Temperature where the client gave none: varied but coherent text, the usual choice for chat models. */
const DEFAULT_TEMPERATURE = 0.7;

/** The members that payload and engine share under the same names. */
const SHARED = [
  "top_p",
  "top_k",
  "min_p",
  "frequency_penalty",
  "presence_penalty",
  "repeat_penalty",
  "seed",
  "stop",
  "logprobs",
  "format",
  "tools",
  "tool_choice",
  "think",
  "keep_alive_seconds",
] as const satisfies readonly (keyof InferencePayload & keyof EngineRequest)[];

/** Images of an offer by their SHA-256. */
export type Images = ReadonlyMap<string, EngineImage>;

/**
 * What an offer of inference asks of an engine, tokens counted by `meter`.
 * @throws AppError UNSUPPORTED_FEATURE for a system message before a raw prompt, which has no place for it
 */
export function engineRequest(
  { prefix, terms }: Offer,
  payload: InferencePayload,
  meter: Meter,
  images: Images,
): EngineRequest {
  const shared = Object.fromEntries(
    SHARED.flatMap((name) => (payload[name] === undefined ? [] : [[name, payload[name]]])),
  );
  const { begun, ...asked } = takeBegun(input(payload, images));
  return {
    ...shared,
    ...asked,
    model: terms.model,
    prefix: begun + prefix,
    max_tokens: remainingTokens(payload.max_tokens ?? DEFAULT_MAX_TOKENS, segmentUnits(meter, "", prefix)),
    temperature: payload.temperature ?? DEFAULT_TEMPERATURE,
  };
}

/** What an offer of an embedding asks of an engine. */
export function embedRequest({ terms }: Offer, payload: EmbeddingPayload): EmbedRequest {
  const { input: texts, dimensions, keep_alive_seconds } = payload;
  return {
    model: terms.model,
    input: texts,
    ...(dimensions !== undefined && { dimensions }),
    ...(keep_alive_seconds !== undefined && { keep_alive_seconds }),
  };
}

function input(payload: InferencePayload, images: Images): Input {
  if (payload.messages) return { messages: payload.messages.map((message) => toMessage(message, images)) };
  const prompt = payload.prompt ?? "";
  if (payload.raw) {
    if (payload.system === undefined) return { prompt };
    throw new AppError("UNSUPPORTED_FEATURE", "a raw prompt has no place for system", {
      meta: { member: "system" },
    });
  }
  const system: EngineMessage[] =
    payload.system === undefined ? [] : [{ role: "system", content: payload.system }];
  return { messages: [...system, { role: "user", content: prompt }] };
}

type Input = Pick<EngineRequest, "messages" | "prompt">;

/**
 * A conversation that ends with the assistant's words has its answer begun by the client: the engine goes on right
 * there, as after the words of another miner. Calls of tools are no words, and alone there is nothing to answer.
 */
function takeBegun(asked: Input): Input & { readonly begun: string } {
  const messages = asked.messages ?? [];
  const last = messages.at(-1);
  if (last?.role !== "assistant" || last.tool_calls || last.images || messages.length === 1) {
    return { ...asked, begun: "" };
  }
  return { messages: messages.slice(0, -1), begun: last.content };
}

function toMessage({ role, content, tool_calls, tool_call_id }: ChatMessage, images: Images): EngineMessage {
  const parts = typeof content === "string" ? [{ type: "text", text: content } as const] : content;
  const text = parts.flatMap((part) => (part.type === "text" ? [part.text] : [])).join("\n");
  const pictures = parts.flatMap((part) => (part.type === "image" ? [part.sha256] : []));
  return {
    role,
    content: text,
    ...(pictures.length > 0 && { images: pictures.map((sha256) => requireImage(images, sha256)) }),
    ...(tool_calls && { tool_calls }),
    ...(tool_call_id !== undefined && { tool_call_id }),
  };
}

function requireImage(images: Images, sha256: string): EngineImage {
  const image = images.get(sha256);
  if (image) return image;
  throw new AppError("ARTIFACT_NOT_FOUND", `the image ${sha256} is not there`);
}

/** Tokens that are left after those of the prefix: the miner that wrote it is gone. */
function remainingTokens(maxTokens: number, prefixTokens: number): number {
  return Math.max(1, maxTokens - prefixTokens);
}
