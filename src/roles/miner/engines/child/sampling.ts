import { randomInt } from "node:crypto";
import type {
  LlamaContextSequenceRepeatPenalty,
  LlamaGrammarEvaluationState,
  SequenceEvaluateOptions,
  Token,
} from "node-llama-cpp";
import type { EngineRequest } from "../engine.ts";

const SEED_RANGE = 2 ** 32;

/**
 * Repetition penalty where none was asked for: node-llama-cpp ignores the other penalties beside a 1, and this is the
 * next number above it that a 32-bit float has.
 */
const NO_REPEAT_PENALTY = 1 + 2 ** -23;

/** Whether the model's own distribution decides, with nothing in between. */
export function isPlainGreedy(request: EngineRequest): boolean {
  return request.temperature === 0 && request.format === undefined && !penalises(request);
}

/** How tokens are chosen. `answer` gives the answer's tokens so far: penalties count those, and not the prompt's. */
export function samplingOf(
  request: EngineRequest,
  grammar: LlamaGrammarEvaluationState | undefined,
  answer: () => Token[],
  contextTokens: number,
): SequenceEvaluateOptions {
  return {
    temperature: request.temperature,
    topP: request.top_p ?? 1,
    topK: request.top_k ?? 0,
    minP: request.min_p ?? 0,
    seed: request.seed ?? randomInt(SEED_RANGE),
    ...(grammar && { grammarEvaluationState: grammar }),
    ...(penalises(request) && { repeatPenalty: penaltyOf(request, answer, contextTokens) }),
  };
}

function penalises({
  frequency_penalty = 0,
  presence_penalty = 0,
  repeat_penalty = 1,
}: EngineRequest): boolean {
  return frequency_penalty !== 0 || presence_penalty !== 0 || repeat_penalty !== 1;
}

function penaltyOf(
  { frequency_penalty = 0, presence_penalty = 0, repeat_penalty = 1 }: EngineRequest,
  punishTokens: () => Token[],
  maxPunishTokens: number,
): LlamaContextSequenceRepeatPenalty {
  return {
    punishTokens,
    maxPunishTokens,
    penalty: repeat_penalty === 1 ? NO_REPEAT_PENALTY : repeat_penalty,
    frequencyPenalty: frequency_penalty,
    presencePenalty: presence_penalty,
  };
}
