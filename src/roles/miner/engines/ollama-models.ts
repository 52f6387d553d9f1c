import { z } from "zod";
import { FEATURES, type Feature } from "../../../domain/job/answer.ts";
import { ModelName } from "../../../wire/scalars.ts";
import type { EngineModel } from "./engine.ts";

/** Context per job in tokens where nothing else is set: Ollama reserves memory for all of it with each model. */
const DEFAULT_CONTEXT_TOKENS = 8192;

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
  /** Another aitbc tells what its miners can do. */
  aitbc: z.object({ features: z.array(z.string()) }).optional(),
});

/** The answer to `GET /api/ps`, as far as it is used. */
const Running = z.object({ models: z.array(z.object({ name: z.string() })) });

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

/** The names of the models that are in memory. */
export function parsePs(answer: unknown): ReadonlySet<string> {
  return new Set(Running.parse(answer).models.map(({ name }) => name));
}

/**
 * A model with the context that jobs get: the model's own, at most `contextTokens`, or at most 8192 where that is
 * null. undefined for models that neither write nor make vectors.
 */
export function parseShow(
  listed: ListedModel,
  answer: unknown,
  contextTokens: number | null,
): EngineModel | undefined {
  // Servers that do not tell are too old for more than text.
  const { capabilities = ["completion"], model_info = {}, aitbc } = Show.parse(answer);
  const features = aitbc ? ownFeatures(aitbc.features) : featuresOf(new Set(capabilities));
  if (features.length === 0) return undefined;
  const wanted = contextTokens ?? DEFAULT_CONTEXT_TOKENS;
  const own = z
    .int()
    .min(1)
    .safeParse(model_info[`${String(model_info["general.architecture"])}.context_length`]);
  return { ...listed, context_tokens: own.success ? Math.min(wanted, own.data) : wanted, features };
}

/** What another aitbc says of a model. A tool cannot be forced over Ollama's API. */
function ownFeatures(told: readonly string[]): Feature[] {
  return FEATURES.filter((feature) => told.includes(feature) && feature !== "forced_tools");
}

/** What Ollama's words for what a model can do mean here. Grammars and penalties are the server's own. */
function featuresOf(capabilities: ReadonlySet<string>): Feature[] {
  if (!capabilities.has("completion")) return capabilities.has("embedding") ? ["embedding"] : [];
  const named: readonly Feature[] = ["embedding", "tools", "vision", "thinking"];
  return [
    "text",
    "logprobs",
    "json",
    "json_schema",
    "penalties",
    ...named.filter((name) => capabilities.has(name)),
  ];
}

/** The first version that tells probabilities. */
const LOGPROBS_SINCE = [0, 12, 11] as const;

/** Whether a server of this version tells probabilities. */
export function tellsLogprobs(version: string): boolean {
  const parts = version.split(/[.+-]/).map(Number);
  for (const [at, since] of LOGPROBS_SINCE.entries()) {
    const part = parts[at] ?? 0;
    if (part !== since) return part > since;
  }
  return true;
}
