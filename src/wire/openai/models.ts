import { z } from "zod";
import { route } from "../access.ts";
import { MAX_MODEL_NAME } from "../limits.ts";
import { OPENAI_ERRORS } from "./errors.ts";

export const OpenAiModel = z.object({
  id: z.string(),
  object: z.literal("model"),
  created: z.int().meta({ description: "When a miner offered it first, Unix s" }),
  owned_by: z.string(),
  aitbc: z
    .object({
      miners: z.int().meta({ description: "Miners that are online with it; 0: jobs for it wait" }),
      features: z.array(z.string()).meta({ description: "What at least one of them can do with it" }),
      context_tokens: z.int().nullable(),
      tokens_per_second: z.int().nullable().meta({ description: "Of the fastest, as measured" }),
      engines: z.array(z.string()),
      digests: z.array(z.string()),
      loaded: z.boolean().meta({ description: "Whether a miner has it in memory" }),
      price_uait_per_million_units: z.int().min(0).meta({
        description: "What 1,000,000 units of its jobs cost, in µAIT",
      }),
    })
    .meta({ description: "What OpenAI's API has no place for" }),
});
export type OpenAiModel = z.infer<typeof OpenAiModel>;

/** Whoever has a key may look. */
const access = ["client", "admin", "miner"] as const;
const tag = "OpenAI";

export const listOpenAiModels = route({
  method: "GET",
  path: "/v1/models",
  access,
  tag,
  summary: "Models that miners offer now",
  errors: OPENAI_ERRORS,
  responses: {
    200: {
      description: "The models",
      schema: z.object({ object: z.literal("list"), data: z.array(OpenAiModel) }),
    },
  },
});

export const getOpenAiModel = route({
  method: "GET",
  path: "/v1/models/:model{.+}",
  access,
  tag,
  summary: "A model by its name, which may contain slashes",
  description: "Also one that nobody offers now, but a miner once did: jobs for it wait.",
  params: z.object({ model: z.string().max(MAX_MODEL_NAME) }),
  errors: OPENAI_ERRORS,
  responses: { 200: { description: "The model", schema: OpenAiModel } },
});
