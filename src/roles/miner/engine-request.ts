import { type Meter, segmentUnits } from "../../domain/job/meter.ts";
import { AppError } from "../../kernel/errors.ts";
import type { JobPayload } from "../../wire/jobs.ts";
import type { Offer } from "../../wire/session.ts";
import type { EngineMessage, EngineRequest } from "./engines/engine.ts";

/** Tokens of an answer whose length the client left open: about a page; who wants more asks for more. */
const DEFAULT_MAX_TOKENS = 512;
/** Temperature where the client gave none: varied but coherent text, the usual choice for chat models. */
const DEFAULT_TEMPERATURE = 0.7;

/** The members that payload and engine share under the same names. */
const SAMPLING = ["top_p", "top_k", "seed", "stop"] as const;

/**
 * What an offer asks of an engine, tokens counted by `meter`.
 * @throws AppError UNSUPPORTED_FEATURE for a system message before a raw prompt, which has no place for it
 */
export function engineRequest(offer: Offer, meter: Meter): EngineRequest {
  const { payload, prefix, terms } = offer;
  const sampling = Object.fromEntries(
    SAMPLING.flatMap((name) => (payload[name] === undefined ? [] : [[name, payload[name]]])),
  );
  return {
    ...sampling,
    ...input(payload),
    model: terms.model,
    prefix,
    max_tokens: remainingTokens(payload.max_tokens ?? DEFAULT_MAX_TOKENS, segmentUnits(meter, "", prefix)),
    temperature: payload.temperature ?? DEFAULT_TEMPERATURE,
  };
}

function input(payload: JobPayload): Pick<EngineRequest, "messages" | "prompt"> {
  if (payload.messages) return { messages: payload.messages };
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

/** Tokens that are left after those of the prefix: the miner that wrote it is gone. */
function remainingTokens(maxTokens: number, prefixTokens: number): number {
  return Math.max(1, maxTokens - prefixTokens);
}
