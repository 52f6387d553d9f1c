import type { Choice } from "../../../domain/job/answer.ts";
import type { ChosenLogprob, TokenLogprob } from "../../../domain/job/deltas.ts";
import type { ChatCompletion, ChatLogprobs } from "../../../wire/openai/chat.ts";
import type { WholeAnswer } from "../answers.ts";
import { type Head, type StreamShape, toEndExtension, toOpenAiUsage } from "./shape.ts";

/** Chunks of a chat. */
export const CHAT_STREAM: StreamShape = {
  isPure: true,
  open: (index) => ({
    index,
    delta: { role: "assistant", content: "" },
    logprobs: null,
    finish_reason: null,
  }),
  add(index, { text, reasoning, tool_call, logprobs }) {
    if (text === undefined && reasoning === undefined && !tool_call && !logprobs) return undefined;
    return {
      index,
      delta: {
        ...(text !== undefined && { content: text }),
        ...(reasoning !== undefined && { reasoning_content: reasoning }),
        ...(tool_call && { tool_calls: [toCallDelta(tool_call)] }),
      },
      logprobs: logprobs ? toChatLogprobs(logprobs) : null,
      finish_reason: null,
    };
  },
  close: (index, finish_reason) => ({ index, delta: {}, logprobs: null, finish_reason }),
};

type CallDelta = NonNullable<Parameters<StreamShape["add"]>[1]["tool_call"]>;

function toCallDelta({ index, id, name, arguments: text }: CallDelta) {
  return {
    index,
    ...(id !== undefined && { id, type: "function" }),
    function: { ...(name !== undefined && { name }), arguments: text ?? "" },
  };
}

/** Writes a whole chat. `hasLogprobs`: they were asked for. */
export function toChatCompletion(
  head: Head,
  jobId: string,
  answer: WholeAnswer,
  hasLogprobs: boolean,
): ChatCompletion {
  const { choices, usage, segments } = answer;
  return {
    ...head,
    object: "chat.completion",
    choices: choices.map((choice, index) => ({
      index,
      message: toMessage(choice),
      logprobs: hasLogprobs ? toChatLogprobs(choice.logprobs) : null,
      finish_reason: choice.finish_reason ?? "stop",
    })),
    ...(usage && { usage: toOpenAiUsage(usage) }),
    aitbc: { job_id: jobId, miner_id: segments.at(-1)?.miner_id ?? null, ...toEndExtension(answer) },
  };
}

function toMessage({ text, reasoning, tool_calls }: Choice): ChatCompletion["choices"][number]["message"] {
  const calls = tool_calls.map(({ id, name, arguments: args }) => ({
    id,
    type: "function" as const,
    function: { name, arguments: args },
  }));
  return {
    role: "assistant",
    content: text === "" && calls.length > 0 ? null : text,
    ...(reasoning !== "" && { reasoning_content: reasoning }),
    ...(calls.length > 0 && { tool_calls: calls }),
    refusal: null,
  };
}

function toChatLogprobs(logprobs: readonly ChosenLogprob[]): ChatLogprobs {
  const content = logprobs.map((chosen) => ({
    ...toToken(chosen),
    top_logprobs: (chosen.top ?? []).map(toToken),
  }));
  return { content, refusal: null };
}

function toToken({ token, logprob, bytes }: TokenLogprob) {
  return { token, logprob, bytes: bytes ? [...bytes] : [...Buffer.from(token)] };
}
