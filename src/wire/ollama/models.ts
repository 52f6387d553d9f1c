import { z } from "zod";
import { route } from "../access.ts";
import { maybe, OLLAMA_ERRORS } from "./common.ts";

/** What Ollama tells of a model's file. It lies with the miners: what is not known here is empty. */
const Details = z.object({
  parent_model: z.string(),
  format: z.string(),
  family: z.string(),
  families: z.array(z.string()),
  parameter_size: z.string(),
  quantization_level: z.string(),
});

export const OllamaModel = z.object({
  name: z.string(),
  model: z.string(),
  modified_at: z.string().meta({ description: "When a miner offered it first" }),
  size: z.int().meta({ description: "0: not known here" }),
  digest: z.string().meta({
    description:
      "As the miners tell it; where they offer different files under the name, a hash of all of them",
  }),
  details: Details,
});
export type OllamaModel = z.infer<typeof OllamaModel>;

export const RunningModel = OllamaModel.omit({ modified_at: true }).extend({
  expires_at: z.string().meta({ description: "The year 1: miners do not tell" }),
  size_vram: z.int(),
  context_length: z.int(),
});
export type RunningModel = z.infer<typeof RunningModel>;

export const ShownModel = z.object({
  modelfile: z.string(),
  parameters: z.string(),
  template: z.string(),
  details: Details,
  model_info: z.record(z.string(), z.json()),
  capabilities: z.array(z.string()),
  modified_at: z.string(),
  aitbc: z
    .object({
      miners: z.int().meta({ description: "Miners that are online with it; 0: jobs for it wait" }),
      features: z.array(z.string()).meta({ description: "What at least one of them can do with it" }),
    })
    .meta({ description: "What Ollama's API has no place for" }),
});
export type ShownModel = z.infer<typeof ShownModel>;

/** Whoever has a key may look. */
const common = { access: ["client", "admin", "miner"], tag: "Ollama", errors: OLLAMA_ERRORS } as const;
const NAME = maybe(z.string().max(128));

export const ollamaTags = route({
  ...common,
  method: "GET",
  path: "/api/tags",
  summary: "Models that miners offer now",
  responses: { 200: { description: "The models", schema: z.object({ models: z.array(OllamaModel) }) } },
});

export const ollamaPs = route({
  ...common,
  method: "GET",
  path: "/api/ps",
  summary: "Models that miners have in memory",
  responses: { 200: { description: "The models", schema: z.object({ models: z.array(RunningModel) }) } },
});

export const ollamaShow = route({
  ...common,
  method: "POST",
  path: "/api/show",
  summary: "What a model can do",
  body: z
    .strictObject({
      model: NAME,
      name: NAME.meta({ description: "Its older name" }),
      verbose: maybe(z.boolean()).meta({ description: "Changes nothing: there is no more to tell" }),
    })
    .refine(({ model, name }) => Boolean(model ?? name), { path: ["model"], message: "must name a model" }),
  responses: { 200: { description: "The model", schema: ShownModel } },
});

export const ollamaVersion = route({
  method: "GET",
  path: "/api/version",
  access: "public",
  tag: "Ollama",
  summary: "The version of Ollama whose API this is",
  errors: OLLAMA_ERRORS,
  responses: { 200: { description: "The version", schema: z.object({ version: z.string() }) } },
});
