import { sha256Hex } from "../../../crypto/hash.ts";
import { AppError } from "../../../kernel/errors.ts";
import type { KnownModel } from "../../../wire/models.ts";
import type { OllamaModel, RunningModel, ShownModel } from "../../../wire/ollama/models.ts";
import { formatTime } from "../../../wire/scalars.ts";
import type { CoordinatorPort } from "../ports.ts";

/** What a name without a tag means to Ollama's clients, and what they write where a model has none. */
const LATEST = ":latest";
/** What Ollama's models are described as: the file lies with the miners. */
const DETAILS = {
  parent_model: "",
  format: "",
  family: "",
  families: [],
  parameter_size: "",
  quantization_level: "",
};
/** Go's zero time, which Ollama's clients show as nothing. */
const NEVER_TOLD = "0001-01-01T00:00:00Z";
/** Under which the members of `model_info` stand. */
const ARCHITECTURE = "aitbc";

/**
 * The model that a caller means: by its name, or by the same with or without `:latest`.
 * @throws AppError MODEL_NOT_FOUND
 */
export function getModel(coordinator: Pick<CoordinatorPort, "findModel">, name: string): KnownModel {
  const other = name.endsWith(LATEST) ? name.slice(0, -LATEST.length) : name + LATEST;
  const model = coordinator.findModel(name) ?? coordinator.findModel(other);
  if (model) return model;
  throw new AppError("MODEL_NOT_FOUND", `model '${name}' not found: no miner has ever offered it`, {
    meta: { member: "model" },
  });
}

/** Writes a model as `GET /api/tags` lists it. */
export function toOllamaModel(known: KnownModel): OllamaModel {
  const { name, first_seen_at } = known;
  const modified_at = formatTime(first_seen_at);
  return { name, model: name, modified_at, size: 0, digest: digestOf(known), details: DETAILS };
}

/** Writes a model as `GET /api/ps` lists it; undefined where no miner has it in memory. */
export function toRunningModel(known: KnownModel): RunningModel | undefined {
  if (!known.offers.some(({ loaded }) => loaded === true)) return undefined;
  const { modified_at: _, ...model } = toOllamaModel(known);
  return { ...model, expires_at: NEVER_TOLD, size_vram: 0, context_length: contextOf(known) };
}

/** Ollama's words for what models can do; it has none for the rest. */
const CAPABILITIES: Readonly<Record<string, string>> = {
  text: "completion",
  embedding: "embedding",
  tools: "tools",
  vision: "vision",
  thinking: "thinking",
};

/** Writes a model as `POST /api/show` does. */
export function toShownModel(known: KnownModel): ShownModel {
  const features = [...new Set(known.offers.flatMap((offer) => offer.features))].sort();
  const context = contextOf(known);
  return {
    modelfile: "",
    parameters: "",
    template: "",
    details: DETAILS,
    model_info: {
      "general.architecture": ARCHITECTURE,
      ...(context > 0 && { [`${ARCHITECTURE}.context_length`]: context }),
    },
    capabilities: features.flatMap((feature) => CAPABILITIES[feature] ?? []),
    modified_at: formatTime(known.first_seen_at),
    aitbc: { miners: known.offers.length, features },
  };
}

/** The largest context that a miner gives it, in tokens; 0 where none is online. */
const contextOf = ({ offers }: KnownModel): number =>
  Math.max(0, ...offers.map(({ context_tokens }) => context_tokens));

/** Ollama writes digests as bare hex. */
function digestOf({ offers }: KnownModel): string {
  const digests = [...new Set(offers.map(({ digest }) => digest.replace(/^sha256:/, "")))].sort();
  const [only = ""] = digests;
  return digests.length === 1 ? only : sha256Hex(digests.join("\n"));
}
