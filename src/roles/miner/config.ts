import { z } from "zod";
import { MAX_OUTPUT_BYTES, MAX_SLOTS } from "../../wire/limits.ts";
import { Address, DisplayName, LegacyAit, ModelName } from "../../wire/scalars.ts";

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
    .union([z.literal(false), z.enum(["auto", "cuda", "vulkan", "metal"])])
    .default(false)
    .meta({ description: "GPU backend of llama.cpp, where its package is installed" }),
  runtime_path: z.string().min(1).nullable().default(null).meta({
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
  engine: z.enum(["auto", "builtin", "llama", "ollama"]).default("auto").meta({
    description:
      "auto offers the built-in model, llama's where model_path is set, and Ollama's where it answers",
  }),
  // Parsed from the empty object, so that each member's default holds.
  llama: LlamaConfig.prefault({}),
  ollama: OllamaConfig.prefault({}),
  max_unsecured_bytes: z
    .int()
    .min(1024)
    .max(MAX_OUTPUT_BYTES)
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
