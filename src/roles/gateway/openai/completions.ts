import type { ChosenLogprob } from "../../../domain/job/deltas.ts";
import type { InferencePayload } from "../../../wire/jobs.ts";
import type { Completion, CompletionRequest, TextLogprobs } from "../../../wire/openai/completions.ts";
import type { WholeAnswer } from "../answers.ts";
import { toSampling } from "./sampling.ts";
import { type Head, type StreamShape, toEndExtension, toOpenAiUsage } from "./shape.ts";

const promptOf = ({ prompt }: CompletionRequest): string =>
  typeof prompt === "string" ? prompt : prompt.join("");

/** What a text completion asks of a job. */
export function toTextPayload(
  request: CompletionRequest,
  usualMaxTokens: number | undefined,
): InferencePayload {
  const { logprobs } = request;
  const maxTokens = request.max_tokens ?? usualMaxTokens;
  return {
    type: "inference",
    prompt: promptOf(request),
    raw: true,
    ...toSampling(request),
    ...(maxTokens !== undefined && { max_tokens: maxTokens }),
    ...(logprobs != null && { logprobs }),
  };
}

/** Chunks of a text completion. */
export function createTextStream(request: CompletionRequest): StreamShape {
  const written = new Map<number, number>();
  return {
    isPure: false,
    open: (index) =>
      request.echo ? { index, text: promptOf(request), logprobs: null, finish_reason: null } : undefined,
    add(index, { text, logprobs }) {
      if (text === undefined && !logprobs) return undefined;
      const offset = written.get(index) ?? 0;
      written.set(index, offset + (text?.length ?? 0));
      return {
        index,
        text: text ?? "",
        logprobs: logprobs ? toTextLogprobs(logprobs, offset) : null,
        finish_reason: null,
      };
    },
    close: (index, finish_reason) => ({ index, text: "", logprobs: null, finish_reason }),
  };
}

/** Writes a whole text completion. */
export function toCompletion(
  head: Head,
  jobId: string,
  answer: WholeAnswer,
  request: CompletionRequest,
): Completion {
  const { choices, usage, segments } = answer;
  const before = request.echo ? promptOf(request) : "";
  return {
    ...head,
    object: "text_completion",
    choices: choices.map(({ text, logprobs, finish_reason }, index) => ({
      index,
      text: before + text,
      logprobs: request.logprobs == null ? null : toTextLogprobs(logprobs, 0),
      finish_reason: finish_reason ?? "stop",
    })),
    ...(usage && { usage: toOpenAiUsage(usage) }),
    aitbc: { job_id: jobId, miner_id: segments.at(-1)?.miner_id ?? null, ...toEndExtension(answer) },
  };
}

/** `offset`: characters of the text before these tokens. */
function toTextLogprobs(logprobs: readonly ChosenLogprob[], offset: number): TextLogprobs {
  let at = offset;
  const text_offset = logprobs.map(({ token }) => {
    const begin = at;
    at += token.length;
    return begin;
  });
  return {
    tokens: logprobs.map(({ token }) => token),
    token_logprobs: logprobs.map(({ logprob }) => logprob),
    top_logprobs: logprobs.map(({ top = [] }) =>
      Object.fromEntries(top.map(({ token, logprob }) => [token, logprob])),
    ),
    text_offset,
  };
}
