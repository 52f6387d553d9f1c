import { z } from "zod";
import { FEATURES, type Feature } from "../../../domain/job/answer.ts";
import { ModelName } from "../../../wire/scalars.ts";
import type { EngineModel } from "./engine.ts";

/** Context of one job in tokens where neither the server nor the configuration names it: what small models have. */
const DEFAULT_CONTEXT_TOKENS = 4096;

/** Servers that differ in what they know beyond OpenAI's API. */
export const OPENAI_SERVERS = ["vllm", "llama-server", "aitbc", "other"] as const;
export type ServerKind = (typeof OPENAI_SERVERS)[number];

/** What a server knows beyond OpenAI's API, and what its models can do where it does not tell. */
export interface Dialect {
  readonly features: readonly Feature[];
  /**
   * How a chat goes on after the assistant's last message: by itself, with vLLM's members, or not at all: then it
   * would be answered as if it were complete.
   */
  readonly continues: "itself" | "flags" | "no";
  readonly top_k: boolean;
  readonly min_p: boolean;
  /** Name of the penalty for repetition. */
  readonly repeat_penalty: "repetition_penalty" | "repeat_penalty" | undefined;
  /** Whether thoughts are switched by `chat_template_kwargs`, or by `reasoning_effort`, with `none` or without. */
  readonly thinks: "template" | "effort" | "effort-or-none";
}

/** Both run their models themselves, with samplers and grammars of their own. */
const SAMPLES = { top_k: true, min_p: true } as const;
const WRITES = ["text", "logprobs", "json", "json_schema", "penalties"] as const;

/**
 * What is known of each kind. Tools, images, thoughts and vectors depend on the model, of which these servers tell
 * nothing: whoever runs one says so in the configuration. Of another server only text is sure: a member that it
 * ignores would give an answer that nobody asked for.
 */
export const DIALECTS: Readonly<Record<ServerKind, Dialect>> = {
  vllm: {
    ...SAMPLES,
    features: WRITES,
    continues: "flags",
    repeat_penalty: "repetition_penalty",
    thinks: "template",
  },
  "llama-server": {
    ...SAMPLES,
    features: WRITES,
    continues: "itself",
    repeat_penalty: "repeat_penalty",
    thinks: "template",
  },
  aitbc: {
    features: ["text"],
    continues: "itself",
    top_k: false,
    min_p: false,
    repeat_penalty: undefined,
    thinks: "effort-or-none",
  },
  other: {
    features: ["text"],
    continues: "no",
    top_k: false,
    min_p: false,
    repeat_penalty: undefined,
    thinks: "effort",
  },
};

const Tokens = z.int().min(1);

/** The answer to `GET /v1/models`, as far as it is used. */
const Models = z.object({
  data: z.array(
    z.object({
      id: z.string(),
      owned_by: z.string().optional(),
      /** vLLM. */
      max_model_len: Tokens.nullish(),
      /** llama-server. */
      meta: z.object({ n_ctx: Tokens.optional(), n_ctx_train: Tokens.optional() }).nullish(),
      aitbc: z
        .object({
          features: z.array(z.string()),
          context_tokens: Tokens.nullish(),
          digests: z.array(z.string()).optional(),
          loaded: z.boolean().optional(),
        })
        .optional(),
    }),
  ),
});
type Listed = z.infer<typeof Models>["data"][number];

/** What the configuration says of a server. Null leaves it to what the server tells. */
export interface ServerSettings {
  readonly kind: ServerKind | null;
  /** Only these models; empty: all. */
  readonly only: readonly string[];
  readonly contextTokens: number | null;
  readonly features: readonly Feature[] | null;
  readonly continues: boolean | null;
}

/** A model with the kind of its server. */
export interface OpenAiModel extends EngineModel {
  readonly kind: ServerKind;
}

/** The models that a miner may offer: those with a name that signed documents can carry. */
export function parseModels(answer: unknown, settings: ServerSettings): OpenAiModel[] {
  return Models.parse(answer)
    .data.filter(({ id }) => ModelName.safeParse(id).success)
    .filter(({ id }) => settings.only.length === 0 || settings.only.includes(id))
    .map((listed) => toModel(listed, settings));
}

function toModel(listed: Listed, settings: ServerSettings): OpenAiModel {
  const kind = settings.kind ?? kindOf(listed);
  const dialect = DIALECTS[kind];
  const { aitbc, id } = listed;
  const told = aitbc && FEATURES.filter((feature) => aitbc.features.includes(feature));
  const digests = aitbc?.digests ?? [];
  return {
    name: id,
    kind,
    // The file behind the name is not known here, unless an aitbc names the only one.
    digest: (digests.length === 1 ? digests[0] : undefined) ?? `openai:${id}`.slice(0, MAX_DIGEST),
    context_tokens: contextOf(listed, settings.contextTokens),
    features: settings.features ?? told ?? dialect.features,
    continues: settings.continues ?? dialect.continues !== "no",
    ...(aitbc?.loaded !== undefined && { loaded: aitbc.loaded }),
  };
}

/** Longest digest that a frame carries, in characters. */
const MAX_DIGEST = 128;

/** Servers tell by the name of the models' owner what they are. */
function kindOf({ aitbc, owned_by }: Listed): ServerKind {
  if (aitbc) return "aitbc";
  if (owned_by === "vllm") return "vllm";
  return owned_by === "llamacpp" ? "llama-server" : "other";
}

function contextOf({ max_model_len, meta, aitbc }: Listed, wanted: number | null): number {
  const own = max_model_len ?? meta?.n_ctx ?? aitbc?.context_tokens;
  if (own) return Math.min(own, wanted ?? own);
  // What a model was trained with bounds what it can use, and says nothing of what its server gives it.
  return Math.min(meta?.n_ctx_train ?? Number.POSITIVE_INFINITY, wanted ?? DEFAULT_CONTEXT_TOKENS);
}
