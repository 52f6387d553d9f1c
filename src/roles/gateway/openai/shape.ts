import type { AnswerDelta } from "../../../domain/job/deltas.ts";
import type { Usage } from "../../../wire/jobs.ts";
import type { Extension, OpenAiUsage } from "../../../wire/openai/common.ts";
import type { AnswerEnd } from "../answers.ts";

/** What is the same in each chunk of an answer. */
export interface Head {
  readonly id: string;
  readonly object: string;
  readonly created: number;
  readonly model: string;
  readonly service_tier?: string;
}

/** How an API writes what one delta adds to a choice. */
export interface StreamShape {
  /** Whether `add` depends on its arguments alone: then chunks of text that differ in their text alone are made once. */
  readonly isPure: boolean;
  /** What a choice begins with; undefined: nothing of its own. */
  open(index: number): object | undefined;
  /** Undefined: the delta says nothing that this API could tell. */
  add(index: number, delta: AnswerDelta): object | undefined;
  close(index: number, reason: string): object;
}

const MS_PER_SECOND = 1000;

export const toUnixSeconds = (ms: number): number => Math.floor(ms / MS_PER_SECOND);

export function toOpenAiUsage({ prompt_tokens, completion_tokens }: Usage): OpenAiUsage {
  return { prompt_tokens, completion_tokens, total_tokens: prompt_tokens + completion_tokens };
}

/** What the end of an answer tells beside OpenAI's members. */
export function toEndExtension({ receipt_id, units, segments }: AnswerEnd): Extension {
  return { receipt_id, units, segments: [...segments] };
}
