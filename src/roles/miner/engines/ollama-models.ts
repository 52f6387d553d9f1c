import { z } from "zod";
import { ModelName } from "../../../wire/scalars.ts";
import type { EngineModel } from "./engine.ts";

/** Context per job in tokens where nothing else is set: Ollama reserves memory for all of it with each model. */
const DEFAULT_CONTEXT_TOKENS = 8192;

const Count = z.int().min(0);

/** The answer to `GET /api/tags`, as far as it is used. */
const Tags = z.object({
  models: z.array(
    z.object({
      name: z.string(),
      digest: z.string(),
      /** Set for models that Ollama's own cloud runs. */
      remote_host: z.string().optional(),
      remote_model: z.string().optional(),
    }),
  ),
});

/** The answer to `POST /api/show`, as far as it is used. */
const Show = z.object({
  capabilities: z.array(z.string()).optional(),
  model_info: z.record(z.string(), z.unknown()).optional(),
});

/** One line of a streamed chat or completion. */
export const AnswerPart = z.object({
  message: z.object({ content: z.string() }).optional(),
  response: z.string().optional(),
  done: z.boolean(),
  done_reason: z.string().optional(),
  prompt_eval_count: Count.optional(),
  eval_count: Count.optional(),
});

/** A model that lies on this server. */
export interface ListedModel {
  readonly name: string;
  /** `sha256:` and the hash of the model's manifest. */
  readonly digest: string;
}

/**
 * The models that a miner may offer: those on this machine (the cloud's would send strangers' prompts to somebody
 * else, on the owner's bill), with a name that signed documents can carry.
 */
export function parseTags(answer: unknown): ListedModel[] {
  return Tags.parse(answer)
    .models.filter((model) => !model.remote_host && !model.remote_model)
    .filter(({ name }) => ModelName.safeParse(name).success)
    .map(({ name, digest }) => ({
      name,
      digest: /^[0-9a-f]{64}$/.test(digest) ? `sha256:${digest}` : digest,
    }));
}

/**
 * A model with the context that jobs get: the model's own, at most `contextTokens`, or at most 8192 where that is
 * null. undefined for models that write no text (embeddings).
 */
export function parseShow(
  listed: ListedModel,
  answer: unknown,
  contextTokens: number | null,
): EngineModel | undefined {
  const { capabilities, model_info = {} } = Show.parse(answer);
  if (capabilities && !capabilities.includes("completion")) return undefined;
  const wanted = contextTokens ?? DEFAULT_CONTEXT_TOKENS;
  const own = z
    .int()
    .min(1)
    .safeParse(model_info[`${String(model_info["general.architecture"])}.context_length`]);
  return { ...listed, context_tokens: own.success ? Math.min(wanted, own.data) : wanted };
}
