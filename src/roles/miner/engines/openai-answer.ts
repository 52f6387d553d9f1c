/** What the answers of OpenAI's API are in our words. */
import { z } from "zod";
import type { ChosenLogprob, TokenLogprob, ToolCallDelta } from "../../../domain/job/deltas.ts";
import { AppError } from "../../../kernel/errors.ts";
import type { EnginePiece, EngineResult } from "./engine.ts";

const Count = z.int().min(0);

const Token = z.object({ token: z.string(), logprob: z.number(), bytes: z.array(z.int()).nullish() });
/** Chats tell tokens one by one; completions tell lists side by side. */
const Logprobs = z.object({
  content: z.array(Token.extend({ top_logprobs: z.array(Token).nullish() })).nullish(),
  tokens: z.array(z.string()).nullish(),
  token_logprobs: z.array(z.number().nullable()).nullish(),
  top_logprobs: z.array(z.record(z.string(), z.number()).nullable()).nullish(),
});

const Call = z.object({
  index: z.int().min(0).optional(),
  id: z.string().nullish(),
  function: z.object({ name: z.string().nullish(), arguments: z.string().nullish() }).optional(),
});

/** One event of a streamed chat or completion. */
export const AnswerEvent = z.object({
  choices: z
    .array(
      z.object({
        delta: z
          .object({
            content: z.string().nullish(),
            reasoning_content: z.string().nullish(),
            reasoning: z.string().nullish(),
            tool_calls: z.array(Call).nullish(),
          })
          .nullish(),
        text: z.string().nullish(),
        logprobs: Logprobs.nullish(),
        finish_reason: z.string().nullish(),
      }),
    )
    .default([]),
  usage: z.object({ prompt_tokens: Count, completion_tokens: Count.default(0) }).nullish(),
});
type AnswerEvent = z.infer<typeof AnswerEvent>;
type Event = AnswerEvent["choices"][number];

/** The answer to `POST /v1/embeddings`. */
export const EmbeddingsAnswer = z.object({
  data: z.array(z.object({ index: Count, embedding: z.union([z.string(), z.array(z.number()).min(1)]) })),
  usage: z.object({ prompt_tokens: Count }).nullish(),
});

/** Turns the events of one answer into its pieces. */
export class AnswerReader {
  /** Of tokens whose text has not come yet. */
  #logprobs: ChosenLogprob[] = [];
  /** Calls whose beginning was told. */
  readonly #named = new Set<number>();
  #finish: string | undefined;
  #usage: AnswerEvent["usage"];
  #pieces = 0;

  /** The pieces of one event, in their order. */
  read({ choices, usage }: AnswerEvent): EnginePiece[] {
    if (usage) this.#usage = usage;
    const pieces = choices.slice(0, 1).flatMap((choice) => this.#readChoice(choice));
    this.#pieces += pieces.length;
    return pieces;
  }

  /** How the answer ended. @throws AppError ENGINE_FAILED where it did not, or was cut by a filter */
  get result(): EngineResult {
    return {
      finish_reason: this.#finishReason(),
      prompt_tokens: this.#usage?.prompt_tokens ?? 0,
      // A server that does not count sends about one token an event.
      completion_tokens: this.#usage?.completion_tokens ?? this.#pieces,
    };
  }

  #readChoice({ delta, text, logprobs, finish_reason }: Event): EnginePiece[] {
    const pieces: EnginePiece[] = [];
    const reasoning = delta?.reasoning_content ?? delta?.reasoning ?? "";
    const content = delta?.content ?? text ?? "";
    if (reasoning !== "") pieces.push({ reasoning });
    // Probabilities stand beside text: those of thoughts have no place in an answer.
    else if (logprobs) this.#logprobs.push(...toLogprobs(logprobs));
    if (content !== "") pieces.push(this.#withLogprobs(content));
    for (const [at, call] of (delta?.tool_calls ?? []).entries()) {
      pieces.push({ tool_call: this.#toCall(call, call.index ?? at) });
    }
    this.#finish = finish_reason ?? this.#finish;
    return pieces;
  }

  /** Some servers repeat id and name with each part of a call: they are told once. */
  #toCall({ id, function: called }: z.infer<typeof Call>, index: number): ToolCallDelta {
    const isNew = !this.#named.has(index);
    this.#named.add(index);
    return {
      index,
      ...(isNew && { id: id ?? `call_${index}`, name: called?.name ?? "" }),
      ...(called?.arguments && { arguments: called.arguments }),
    };
  }

  #withLogprobs(text: string): EnginePiece {
    if (this.#logprobs.length === 0) return text;
    const logprobs = this.#logprobs;
    this.#logprobs = [];
    return { text, logprobs };
  }

  #finishReason(): EngineResult["finish_reason"] {
    switch (this.#finish) {
      case undefined:
        throw new AppError("ENGINE_FAILED", "the server ended its answer in the middle");
      case "content_filter":
        throw new AppError("ENGINE_FAILED", "a filter of the server cut the answer");
      case "length":
      case "tool_calls":
        return this.#finish;
      default:
        return "stop";
    }
  }
}

function toLogprobs(said: z.infer<typeof Logprobs>): ChosenLogprob[] {
  if (said.content) {
    return said.content.map(({ top_logprobs, ...token }) => ({
      ...toToken(token),
      ...(top_logprobs && { top: top_logprobs.map(toToken) }),
    }));
  }
  return (said.tokens ?? []).flatMap((token, at) => {
    const logprob = said.token_logprobs?.[at];
    if (typeof logprob !== "number") return [];
    const top = Object.entries(said.top_logprobs?.[at] ?? {}).map(([name, value]) => ({
      token: name,
      logprob: value,
    }));
    return [{ token, logprob, ...(top.length > 0 && { top }) }];
  });
}

function toToken({ token, logprob, bytes }: z.infer<typeof Token>): TokenLogprob {
  return { token, logprob, ...(bytes && { bytes }) };
}
