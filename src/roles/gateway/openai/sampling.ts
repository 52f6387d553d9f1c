import type { InferencePayload } from "../../../wire/jobs.ts";
import type { ChatRequest } from "../../../wire/openai/chat.ts";
import type { CompletionRequest } from "../../../wire/openai/completions.ts";

const SEEDS = 2 ** 32;

type Sampling = Pick<
  InferencePayload,
  | "model"
  | "temperature"
  | "top_p"
  | "top_k"
  | "n"
  | "stop"
  | "seed"
  | "frequency_penalty"
  | "presence_penalty"
>;

/** The members that chat and text completions share, as a payload has them. What asks for nothing is left out. */
export function toSampling(request: ChatRequest | CompletionRequest): Sampling {
  const { model, temperature, top_p, n, stop, seed, frequency_penalty, presence_penalty } = request;
  const stops = typeof stop === "string" ? [stop] : stop;
  return {
    model,
    ...(temperature != null && { temperature }),
    // Of nothing the likeliest token is left.
    ...(top_p === 0 ? { top_k: 1 } : top_p != null && { top_p }),
    ...(n != null && n > 1 && { n }),
    ...(stops && stops.length > 0 && { stop: stops }),
    ...(seed != null && { seed: ((seed % SEEDS) + SEEDS) % SEEDS }),
    ...(frequency_penalty ? { frequency_penalty } : {}),
    ...(presence_penalty ? { presence_penalty } : {}),
  };
}
