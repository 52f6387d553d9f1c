/** What a payload makes of its answer: its format, who can write it, whether another miner can go on with it. */
import {
  type AnswerDelta,
  type ChosenLogprob,
  type DeltaFinishReason,
  LineSplitter,
  parseDelta,
} from "./deltas.ts";

/** `text`: the output is the answer. `deltas`: it is made of lines, as deltas.ts tells. */
export type AnswerFormat = "text" | "deltas";

/**
 * What models may lack. `tools`: a model decides itself whether it calls a tool, and reads what tools answered.
 * `forced_tools`: it can be made to call one (`tool_choice` `required`, or a tool's name).
 */
export const FEATURES = [
  "text",
  "embedding",
  "tools",
  "forced_tools",
  "vision",
  "logprobs",
  "json",
  "json_schema",
  "penalties",
  "thinking",
] as const;
export type Feature = (typeof FEATURES)[number];

/** The members of a payload that matter here. */
export interface AnswerRequest {
  readonly type: string;
  readonly messages?:
    | readonly {
        readonly role?: string;
        readonly content: string | readonly { readonly type: string }[];
        readonly tool_calls?: readonly unknown[] | undefined;
      }[]
    | undefined;
  readonly n?: number | undefined;
  readonly logprobs?: number | undefined;
  readonly tools?: readonly unknown[] | undefined;
  readonly tool_choice?: unknown;
  readonly format?: { readonly type: string } | undefined;
  readonly think?: boolean | string | undefined;
  readonly frequency_penalty?: number | undefined;
  readonly presence_penalty?: number | undefined;
  readonly repeat_penalty?: number | undefined;
}

const callsTools = ({ tools = [], tool_choice }: AnswerRequest): boolean =>
  tools.length > 0 && tool_choice !== "none";
const thinks = ({ think = false }: AnswerRequest): boolean => think !== false;

/** The format of the answer to a payload. */
export function answerFormat(request: AnswerRequest): AnswerFormat {
  const { type, n = 1, logprobs } = request;
  const isPlain =
    type !== "embedding" && n === 1 && logprobs === undefined && !callsTools(request) && !thinks(request);
  return isPlain ? "text" : "deltas";
}

/**
 * Why another miner cannot go on where an answer to this payload broke off; undefined when it can. What has not
 * begun can always be done again.
 */
export function whyNotContinuable(request: AnswerRequest): string | undefined {
  if (request.type === "embedding") return "vectors cannot be continued";
  if ((request.n ?? 1) > 1) return "an answer with several choices cannot be continued";
  if (callsTools(request)) return "an answer that may call tools cannot be continued";
  if (request.format) return "an answer bound to a grammar cannot be continued";
  if (thinks(request)) return "an answer with thoughts cannot be continued";
  if (request.logprobs !== undefined) return "an answer with probabilities cannot be continued";
  return undefined;
}

/** What a model must be able to do for this payload, and the payload's member that asks for it. */
export function neededFeatures(request: AnswerRequest): ReadonlyMap<Feature, string> {
  if (request.type === "embedding") return new Map([["embedding", "type"]]);
  const needed = new Map<Feature, string>([["text", "type"]]);
  if (readsCalls(request)) needed.set("tools", "messages");
  if (callsTools(request)) {
    if (isForced(request)) needed.set("forced_tools", "tool_choice");
    else needed.set("tools", "tools");
  }
  if (hasImages(request)) needed.set("vision", "messages");
  if (request.logprobs !== undefined) needed.set("logprobs", "logprobs");
  if (request.format?.type === "json") needed.set("json", "format");
  if (request.format?.type === "json_schema") needed.set("json_schema", "format");
  if (thinks(request)) needed.set("thinking", "think");
  for (const name of ["frequency_penalty", "presence_penalty", "repeat_penalty"] as const) {
    if (request[name] !== undefined) needed.set("penalties", name);
  }
  return needed;
}

const isForced = ({ tool_choice: choice = "auto" }: AnswerRequest): boolean =>
  choice === "required" || typeof choice === "object";

/** Whether tools were called earlier in the conversation. */
const readsCalls = ({ messages = [] }: AnswerRequest): boolean =>
  messages.some(({ role, tool_calls }) => role === "tool" || tool_calls !== undefined);

function hasImages({ messages = [] }: AnswerRequest): boolean {
  return messages.some(
    ({ content }) => typeof content !== "string" && content.some(({ type }) => type === "image"),
  );
}

/** One call of a tool, whole. `arguments` is JSON text as the model wrote it. */
export interface ToolCall {
  readonly id: string;
  readonly name: string;
  readonly arguments: string;
}

/** One choice, whole. */
export interface Choice {
  readonly text: string;
  readonly reasoning: string;
  readonly tool_calls: readonly ToolCall[];
  readonly logprobs: readonly ChosenLogprob[];
  readonly finish_reason: DeltaFinishReason | null;
}

/** An answer put together from its output. */
export interface Answer {
  /** In their order; those that nothing was written for are missing at the end. */
  readonly choices: readonly Choice[];
  /** Vectors as base64 (see `AnswerDelta.embedding`), in the order of the inputs. */
  readonly embeddings: readonly string[];
}

interface Draft {
  text: string;
  reasoning: string;
  readonly tool_calls: { id: string; name: string; arguments: string }[];
  readonly logprobs: ChosenLogprob[];
  finish_reason: DeltaFinishReason | null;
}

/** Puts an answer together from its deltas, as they come. */
export class AnswerBuilder {
  readonly #choices: Draft[] = [];
  readonly #embeddings: string[] = [];

  add({ choice = 0, embedding, ...delta }: AnswerDelta): void {
    if (embedding !== undefined) {
      this.#embeddings[choice] = embedding;
      return;
    }
    const draft = this.#draft(choice);
    draft.text += delta.text ?? "";
    draft.reasoning += delta.reasoning ?? "";
    draft.logprobs.push(...(delta.logprobs ?? []));
    draft.finish_reason = delta.finish_reason ?? draft.finish_reason;
    if (!delta.tool_call) return;
    const { index, id = "", name = "", arguments: text = "" } = delta.tool_call;
    while (draft.tool_calls.length <= index) draft.tool_calls.push({ id: "", name: "", arguments: "" });
    const call = draft.tool_calls[index];
    if (!call) return;
    call.id += id;
    call.name += name;
    call.arguments += text;
  }

  get answer(): Answer {
    return {
      choices: [...this.#choices],
      embeddings: Array.from(this.#embeddings, (vector) => vector ?? ""),
    };
  }

  #draft(choice: number): Draft {
    while (this.#choices.length <= choice) {
      this.#choices.push({ text: "", reasoning: "", tool_calls: [], logprobs: [], finish_reason: null });
    }
    // The loop has made it.
    return this.#choices[choice] as Draft;
  }
}

/** Reads a whole output of format `deltas`. What a broken end left of a last line is dropped. */
export function readDeltas(output: string): Answer {
  const builder = new AnswerBuilder();
  for (const line of new LineSplitter().push(output)) builder.add(parseDelta(line));
  return builder.answer;
}
