import type { AnswerDelta, ChosenLogprob, TokenLogprob } from "../../../domain/job/deltas.ts";
import type { Clock } from "../../../kernel/clock.ts";
import { AppError } from "../../../kernel/errors.ts";
import type { OllamaToolCall } from "../../../wire/ollama/chat.ts";
import type { Counters, OllamaLogprobs } from "../../../wire/ollama/common.ts";
import type { Extension } from "../../../wire/openai/common.ts";
import { formatTime } from "../../../wire/scalars.ts";
import type { AnswerEnd, AnswerPart, OpenAnswer } from "../answers.ts";

const NS_PER_MS = 1_000_000;

/** What a line adds to an answer. */
interface Added {
  readonly text: string;
  readonly thinking?: string;
  readonly tool_calls?: OllamaToolCall[];
}

/** How `/api/chat` and `/api/generate` write what a line adds. */
export type LineShape = (added: Added) => object;

export const CHAT_LINE: LineShape = ({ text, thinking, tool_calls }) => ({
  message: {
    role: "assistant",
    content: text,
    ...(thinking !== undefined && { thinking }),
    ...(tool_calls && { tool_calls }),
  },
});

export const GENERATE_LINE: LineShape = ({ text, thinking }) => ({
  response: text,
  ...(thinking !== undefined && { thinking }),
});

export interface LineOptions {
  /** The model as the caller named it. */
  readonly model: string;
  readonly shape: LineShape;
  readonly clock: Clock;
  /** Monotonic ms of the call. */
  readonly startedAt: number;
}

/**
 * Writes an answer as the lines that Ollama's clients read: objects, the last of which is `done`. A line without
 * text is a sign of life: there are no comments in such a stream.
 * @throws AppError why the answer is not complete
 */
export async function* writeLines(
  answer: OpenAnswer,
  options: LineOptions,
): AsyncGenerator<object, void, void> {
  const writer = new LineWriter(answer.jobId, options);
  for await (const part of answer.parts) {
    const line = writer.write(part);
    if (line) yield line;
  }
}

/** The answer to a call that only loads or unloads a model: miners do either by themselves. */
export function writeLoaded({ model, shape, clock }: LineOptions, keepAlive: number | undefined): object {
  const done_reason = keepAlive === 0 ? "unload" : "load";
  return { model, created_at: formatTime(clock.now()), ...shape({ text: "" }), done: true, done_reason };
}

class LineWriter {
  readonly #options: LineOptions;
  readonly #jobId: string;
  readonly #calls: { id: string; name: string; arguments: string }[] = [];
  /** What the next line tells beside Ollama's members. */
  #extension: Extension | undefined;
  #firstAt: number | undefined;

  constructor(jobId: string, options: LineOptions) {
    this.#jobId = jobId;
    this.#options = options;
  }

  write(part: AnswerPart): object | undefined {
    switch (part.type) {
      case "waiting":
        return undefined;
      case "alive":
        return this.#line({ text: "" });
      case "segment":
        this.#extension = {
          job_id: this.#jobId,
          miner_id: part.miner_id,
          ...(part.isSeam && { seam: true }),
        };
        return undefined;
      case "delta":
        return this.#add(part.delta);
      case "end":
        return this.#end(part);
    }
  }

  #add({ text, reasoning, tool_call, logprobs }: AnswerDelta): object | undefined {
    this.#firstAt ??= this.#options.clock.monotonic();
    if (tool_call) {
      const { index, id = "", name = "", arguments: values = "" } = tool_call;
      while (this.#calls.length <= index) this.#calls.push({ id: "", name: "", arguments: "" });
      const call = this.#calls[index];
      if (call) {
        call.id += id;
        call.name += name;
        call.arguments += values;
      }
    }
    if (!text && !reasoning && !logprobs) return undefined;
    const added = { text: text ?? "", ...(reasoning !== undefined && { thinking: reasoning }) };
    return this.#line(added, logprobs && { logprobs: logprobs.map(toLogprob) });
  }

  /** Calls are told whole, as Ollama does, with the last line. */
  #end(end: AnswerEnd): object {
    if (end.error) throw end.error;
    const { receipt_id, units, segments } = end;
    this.#extension = { ...this.#extension, job_id: this.#jobId, receipt_id, units, segments: [...segments] };
    const tool_calls = this.#calls.map(toToolCall);
    const added = { text: "", ...(tool_calls.length > 0 && { tool_calls }) };
    return this.#line(added, { done: true, ...this.#counters(end) });
  }

  #counters({ finish_reason, usage }: AnswerEnd): Counters {
    const { clock, startedAt } = this.#options;
    const now = clock.monotonic();
    const firstAt = this.#firstAt ?? now;
    const ns = (ms: number): number => Math.round(ms * NS_PER_MS);
    return {
      done_reason: finish_reason === "length" ? "length" : "stop",
      total_duration: ns(now - startedAt),
      load_duration: 0,
      ...(usage && { prompt_eval_count: usage.prompt_tokens }),
      prompt_eval_duration: ns(firstAt - startedAt),
      ...(usage && { eval_count: usage.completion_tokens }),
      eval_duration: ns(now - firstAt),
    };
  }

  #line(added: Added, rest: object = {}): object {
    const { model, shape, clock } = this.#options;
    const aitbc = this.#extension;
    this.#extension = undefined;
    return {
      model,
      created_at: formatTime(clock.now()),
      ...shape(added),
      done: false,
      ...rest,
      ...(aitbc && { aitbc }),
    };
  }
}

function toToolCall(call: { id: string; name: string; arguments: string }, index: number): OllamaToolCall {
  const { id, name } = call;
  try {
    const values: unknown = JSON.parse(call.arguments === "" ? "{}" : call.arguments);
    if (typeof values === "object" && values !== null && !Array.isArray(values)) {
      // JSON.parse makes nothing but JSON.
      const values_ = values as OllamaToolCall["function"]["arguments"];
      return { ...(id !== "" && { id }), function: { index, name, arguments: values_ } };
    }
  } catch {
    // Told below.
  }
  throw new AppError("JOB_FAILED", `the model called ${name} with arguments that are no JSON object`);
}

function toLogprob({ top, ...token }: ChosenLogprob): OllamaLogprobs[number] {
  return { ...toToken(token), ...(top && { top_logprobs: top.map(toToken) }) };
}

function toToken({ token, logprob, bytes }: TokenLogprob) {
  return { token, logprob, bytes: bytes ? [...bytes] : [...Buffer.from(token)] };
}
