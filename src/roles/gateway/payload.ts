import { type Feature, neededFeatures } from "../../domain/job/answer.ts";
import { AppError } from "../../kernel/errors.ts";
import { check } from "../../kernel/http/body.ts";
import { JobPayload } from "../../wire/jobs.ts";
import { MAX_BODY_BYTES } from "../../wire/limits.ts";
import type { KnownModel, ModelOffer } from "../../wire/models.ts";
import type { CoordinatorPort } from "./ports.ts";

/** Names of a payload's members in the API that was called, where they differ. */
export type MemberNames = Readonly<Record<string, string>>;

/**
 * Checks a payload that an API's own schema let through, and what the network can do about it now.
 * @throws AppError INVALID_PAYLOAD; PAYLOAD_TOO_LARGE; MODEL_NOT_FOUND where no miner ever offered the model;
 * UNSUPPORTED_FEATURE where each miner that offers it lacks what is asked for
 */
export function checkPayload(
  coordinator: Pick<CoordinatorPort, "findModel">,
  input: JobPayload,
  names: MemberNames = {},
): JobPayload {
  const payload = check(JobPayload, input, "body");
  const bytes = Buffer.byteLength(JSON.stringify(payload));
  if (bytes > MAX_BODY_BYTES) {
    throw new AppError(
      "PAYLOAD_TOO_LARGE",
      `the request without its images is larger than ${MAX_BODY_BYTES} bytes; send less text`,
    );
  }
  const { model } = payload;
  if (model === undefined) return payload;
  const known = coordinator.findModel(model);
  if (!known) {
    throw new AppError("MODEL_NOT_FOUND", `the model ${model} does not exist: no miner has ever offered it`, {
      meta: { member: "model" },
    });
  }
  const lack = findLack(known, payload);
  if (lack) throw unsupported(known, lack, names);
  return payload;
}

/** Tokens of an answer whose length the caller left open, in all but small models. */
const USUAL_MAX_TOKENS = 4096;

/**
 * Longest answer where the caller of another API named none: as long as answers usually are, but no more than half
 * of the context, since some engines refuse what cannot fit with its prompt. Undefined: the miner's own.
 */
export function usualMaxTokens(
  coordinator: Pick<CoordinatorPort, "findModel">,
  model: string,
): number | undefined {
  const contexts = coordinator.findModel(model)?.offers.map(({ context_tokens }) => context_tokens) ?? [];
  if (contexts.length === 0) return undefined;
  return Math.max(1, Math.min(USUAL_MAX_TOKENS, Math.floor(Math.min(...contexts) / 2)));
}

/** What no miner has, though there are some, and the payload's member that asks for it. */
interface Lack {
  readonly what: string;
  readonly member: string;
}

/** What keeps all miners that offer a model from a job; undefined when one can take it, or nobody is online. */
function findLack({ offers }: KnownModel, payload: JobPayload): Lack | undefined {
  const needed = neededFeatures(payload);
  const context = payload.type === "inference" ? (payload.context_tokens ?? 0) : 0;
  const isAble = ({ features, context_tokens }: ModelOffer): boolean =>
    context_tokens >= context && [...needed.keys()].every((feature) => features.includes(feature));
  if (offers.length === 0 || offers.some(isAble)) return undefined;
  for (const [feature, member] of needed) {
    if (offers.every(({ features }) => !features.includes(feature))) return { what: say(feature), member };
  }
  if (offers.every(({ context_tokens }) => context_tokens < context)) {
    return { what: `context of ${context} tokens`, member: "context_tokens" };
  }
  // Each has some of it and none has all.
  const [last] = [...needed].reverse();
  return { what: "all of what is asked for together", member: last?.[1] ?? "model" };
}

const WORDS: Readonly<Partial<Record<Feature, string>>> = {
  text: "text generation",
  embedding: "embeddings",
  tools: "calls of tools",
  forced_tools: "calls that the caller asks for",
  vision: "images",
  logprobs: "probabilities of tokens",
  json: "JSON output",
  json_schema: "JSON output of a schema",
};
const say = (feature: Feature): string => WORDS[feature] ?? feature;

function unsupported({ name, offers }: KnownModel, { what, member }: Lack, names: MemberNames): AppError {
  const engines = [...new Set(offers.map(({ engine }) => engine))].join(", ");
  const asked = names[member] ?? member;
  return new AppError(
    "UNSUPPORTED_FEATURE",
    `${asked}: the model ${name} does not support ${what} on the engine ${engines}, which is all that is online; choose another model or leave it out`,
    { meta: { member: asked } },
  );
}
