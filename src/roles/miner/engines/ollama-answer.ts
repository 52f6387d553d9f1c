/** What Ollama's answers are in our words. */
import { randomUUID } from "node:crypto";
import { z } from "zod";
import type { ChosenLogprob } from "../../../domain/job/deltas.ts";
import type { EnginePiece, EngineResult } from "./engine.ts";

const Count = z.int().min(0);
const NS_PER_MS = 1_000_000;
/** A load that took less, in ms, was none: a model that is in memory has a few to tell as well. */
const MIN_LOAD_MS = 250;

const Token = z.object({
  token: z.string(),
  logprob: z.number(),
  bytes: z.array(z.int()).nullish(),
});
const Logprob = Token.extend({ top_logprobs: z.array(Token).nullish() });

const Call = z.object({
  id: z.string().optional(),
  function: z.object({ name: z.string(), arguments: z.record(z.string(), z.unknown()).nullish() }),
});

/** One line of a streamed chat or completion. */
export const AnswerPart = z.object({
  message: z
    .object({
      content: z.string().optional(),
      thinking: z.string().optional(),
      tool_calls: z.array(Call).nullish(),
    })
    .optional(),
  response: z.string().optional(),
  thinking: z.string().optional(),
  logprobs: z.array(Logprob).nullish(),
  done: z.boolean(),
  done_reason: z.string().optional(),
  prompt_eval_count: Count.optional(),
  eval_count: Count.optional(),
  load_duration: Count.optional(),
});
type AnswerPart = z.infer<typeof AnswerPart>;

/** The answer to `POST /api/embed`. */
export const EmbedAnswer = z.object({
  embeddings: z.array(z.array(z.number()).min(1)),
  prompt_eval_count: Count.optional(),
  load_duration: Count.optional(),
});

/** Turns the lines of one answer into its pieces. */
export class AnswerReader {
  readonly #wantsLogprobs: boolean;
  /** Of tokens whose text has not come yet. */
  #logprobs: ChosenLogprob[] = [];
  #calls = 0;

  constructor(wantsLogprobs: boolean) {
    this.#wantsLogprobs = wantsLogprobs;
  }

  /** The pieces of one line, in their order. */
  read(part: AnswerPart): EnginePiece[] {
    const pieces: EnginePiece[] = [];
    const reasoning = part.message?.thinking ?? part.thinking ?? "";
    const text = part.message?.content ?? part.response ?? "";
    if (reasoning !== "") pieces.push({ reasoning });
    // Probabilities stand beside text: those of thoughts have no place in an answer.
    else if (this.#wantsLogprobs) this.#logprobs.push(...(part.logprobs ?? []).map(toLogprob));
    if (text !== "") pieces.push(this.#withLogprobs(text));
    for (const { id = `call_${randomUUID()}`, function: called } of part.message?.tool_calls ?? []) {
      const text = JSON.stringify(called.arguments ?? {});
      pieces.push({ tool_call: { index: this.#calls++, id, name: called.name, arguments: text } });
    }
    return pieces;
  }

  /** How the answer ended, by its last line. */
  result(part: AnswerPart): EngineResult {
    const reason = part.done_reason === "length" ? "length" : "stop";
    return {
      finish_reason: this.#calls > 0 ? "tool_calls" : reason,
      prompt_tokens: part.prompt_eval_count ?? 0,
      completion_tokens: part.eval_count ?? 0,
      ...loadOf(part.load_duration),
    };
  }

  #withLogprobs(text: string): EnginePiece {
    if (this.#logprobs.length === 0) return text;
    const logprobs = this.#logprobs;
    this.#logprobs = [];
    return { text, logprobs };
  }
}

/** How long a model was loaded, where it was. @param ns nanoseconds */
export function loadOf(ns = 0): { readonly load_ms?: number } {
  const load_ms = Math.round(ns / NS_PER_MS);
  return load_ms < MIN_LOAD_MS ? {} : { load_ms };
}

function toLogprob({ top_logprobs, ...token }: z.infer<typeof Logprob>): ChosenLogprob {
  return { ...toToken(token), ...(top_logprobs && { top: top_logprobs.map(toToken) }) };
}

function toToken({ token, logprob, bytes }: z.infer<typeof Token>) {
  return { token, logprob, ...(bytes && { bytes }) };
}
