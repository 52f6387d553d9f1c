import { z } from "zod";
import { FEATURES } from "../../domain/job/answer.ts";
import { MAX_SLOTS, MAX_UNSECURED_BYTES } from "../../wire/limits.ts";
import { Address, DisplayName, LegacyAit, ModelName } from "../../wire/scalars.ts";
import { BACKENDS } from "./engines/frames.ts";
import { OPENAI_SERVERS } from "./engines/openai-models.ts";

/** Largest context that the llama engine is asked for, in tokens: what current models reach. */
const MAX_CONTEXT_TOKENS = 1_048_576;
/** Most threads of the llama engine; the engine itself never takes more than the machine has cores. */
const MAX_THREADS = 1024;

/** The `llama` engine: any GGUF file. */
const LlamaConfig = z.strictObject({
  model_path: z
    .string()
    .min(1)
    .nullable()
    .default(null)
    .meta({ description: "Path of a GGUF file", path: true }),
  name: ModelName.nullable()
    .default(null)
    .meta({ description: "Name under which the model is offered; null takes the file's name" }),
  threads: z
    .int()
    .min(1)
    .max(MAX_THREADS)
    .nullable()
    .default(null)
    .meta({ description: "Threads of one engine; null lets the engine choose" }),
  context_tokens: z
    .int()
    .min(64)
    .max(MAX_CONTEXT_TOKENS)
    .nullable()
    .default(null)
    .meta({ description: "Context size in tokens; null takes the model's, within the engine's bound" }),
  gpu: z
    .union([z.literal(false), z.enum(["auto", ...BACKENDS])])
    .default(false)
    .meta({ description: "GPU backend of llama.cpp, where its package is installed" }),
  path: z.string().min(1).nullable().default(null).meta({
    description:
      "Folder that holds node-llama-cpp with its CUDA or Vulkan package; null takes the program's own",
    path: true,
  }),
});

/** Models that are pulled at the start: enough for any machine's disk. */
const MAX_PULLS = 64;

/** The `ollama` engine: the models of an Ollama server. */
const OllamaConfig = z.strictObject({
  url: z
    .url({ protocol: /^https?$/, error: "must be an http:// or https:// URL" })
    .default("http://127.0.0.1:11434")
    .meta({ description: "Address of the Ollama server" }),
  api_key: z.string().min(1).optional().meta({
    description: "Its API key, where it wants one, as another aitbc does; never in the file",
    secret: true,
  }),
  api_key_file: z.string().min(1).optional().meta({ description: "File that holds its API key", path: true }),
  context_tokens: z
    .int()
    .min(64)
    .max(MAX_CONTEXT_TOKENS)
    .nullable()
    .default(null)
    .meta({ description: "Context size in tokens; null takes the model's, within the engine's bound" }),
  pull: z
    .array(ModelName)
    .max(MAX_PULLS)
    .default([])
    .meta({ description: "Models that the miner lets Ollama fetch when it starts, where they are missing" }),
});

/** Names in a list of the configuration: enough for any server. */
const MAX_NAMES = 256;

/** The `openai` engine: the models of a server that speaks OpenAI's API. */
const OpenAiConfig = z.strictObject({
  url: z
    .url({ protocol: /^https?$/, error: "must be an http:// or https:// URL" })
    .nullable()
    .default(null)
    .meta({ description: "Base URL of a server that speaks OpenAI's API, as http://127.0.0.1:8001/v1" }),
  api_key: z.string().min(1).optional().meta({ description: "Its API key; never in the file", secret: true }),
  api_key_file: z.string().min(1).optional().meta({ description: "File that holds its API key", path: true }),
  server: z
    .enum(["auto", ...OPENAI_SERVERS])
    .default("auto")
    .meta({
      description: "What runs there, which decides what can be asked of it; auto goes by what it tells",
    }),
  models: z
    .array(ModelName)
    .max(MAX_NAMES)
    .default([])
    .meta({ description: "Its models that are offered; empty offers all" }),
  context_tokens: z.int().min(64).max(MAX_CONTEXT_TOKENS).nullable().default(null).meta({
    description:
      "Context size in tokens, at most the server's; null takes the server's, or 4096 where it does not tell",
  }),
  features: z.array(z.enum(FEATURES)).min(1).nullable().default(null).meta({
    description:
      "What its models can do; null takes what the server tells, or what servers of its kind always can",
  }),
  continues: z.boolean().nullable().default(null).meta({
    description: "Whether it goes on with an assistant's last message; null goes by what runs there",
  }),
});

/** The miner's section of the configuration. */
export const MinerConfig = z.strictObject({
  coordinator_url: z
    .url({ protocol: /^(https?|wss?)$/ })
    .nullable()
    .default(null)
    .meta({ description: "Coordinator to work for; null takes the one in this process" }),
  name: DisplayName.nullable()
    .default(null)
    .meta({ description: "Name shown to people; null takes the host's name" }),
  region: DisplayName.nullable().default(null).meta({ description: "Where the miner stands" }),
  payout: Address.nullable()
    .default(null)
    .meta({ description: "Address that is paid; null takes the miner's own" }),
  price: LegacyAit.nullable()
    .default(null)
    .meta({ description: "Asking price in AIT; null takes the coordinator's" }),
  slots: z.int().min(1).max(MAX_SLOTS).default(2).meta({ description: "Jobs that run at once" }),
  engine: z.enum(["auto", "builtin", "llama", "ollama", "openai"]).default("auto").meta({
    description:
      "auto offers the built-in model, llama's where model_path is set, openai's where its url is, and Ollama's where it answers",
  }),
  // Parsed from empty objects, so that each member's default holds.
  engines: z
    .strictObject({
      llama: LlamaConfig.prefault({}),
      ollama: OllamaConfig.prefault({}),
      openai: OpenAiConfig.prefault({}),
    })
    .prefault({}),
  max_unsecured_bytes: z
    .int()
    .min(1024)
    .max(MAX_UNSECURED_BYTES)
    .default(64 * 1024)
    .meta({ description: "Text of one job that may be delivered without the coordinator's confirmation" }),
  drain_seconds: z
    .int()
    .min(0)
    .max(3600)
    .default(20)
    .meta({ description: "How long running jobs may go on when the miner stops" }),
});
export type MinerConfig = z.infer<typeof MinerConfig>;
