import { basename } from "node:path";
import { AppError } from "../../kernel/errors.ts";
import type { Log } from "../../kernel/log.ts";
import { readSecretFile } from "../../kernel/secret-file.ts";
import { MAX_MODEL_NAME } from "../../wire/limits.ts";
import type { MinerConfig } from "./config.ts";
import { createBuiltinEngine } from "./engines/builtin.ts";
import type { Engine } from "./engines/engine.ts";
import { findGpuDevices } from "./engines/gpu-devices.ts";
import { createLlamaEngine, IDLE_MS } from "./engines/llama.ts";
import { findLlamaRuntime } from "./engines/llama-runtime.ts";
import { OllamaEngine } from "./engines/ollama.ts";
import { OpenAiEngine } from "./engines/openai.ts";
import { chooseGpu } from "./gpu-check.ts";
import type { EngineInputs } from "./ports.ts";
import { printable } from "./probe/gpu.ts";
import type { GpuProbe } from "./probe/gpus.ts";

/** What engines are made of. */
export interface EngineSetup {
  readonly config: MinerConfig;
  readonly inputs: EngineInputs;
  readonly probeGpus: () => Promise<GpuProbe>;
  readonly log: Log;
}

/**
 * Creates the engines that the configuration asks for, best first: where two have a model of the same name, the
 * first one runs it. None of them starts yet.
 * @throws AppError INVALID_CONFIG; ENGINE_UNAVAILABLE without the GPU or the runtime that was asked for
 */
export async function createEngines(setup: EngineSetup): Promise<Engine[]> {
  const { config, inputs, log } = setup;
  const { engine, slots } = config;
  const { llama, ollama, openai } = config.engines;
  const engines: Engine[] = [];
  if (engine === "openai" && openai.url === null) {
    throw new AppError("INVALID_CONFIG", "miner.engine is openai, but miner.engines.openai.url is not set");
  }
  if ((engine === "openai" || engine === "auto") && openai.url !== null) {
    engines.push(createOpenAiEngine(openai, openai.url));
  }
  if (engine === "ollama" || engine === "auto") {
    const { url, context_tokens: contextTokens, pull } = ollama;
    const findKey = createFindKey("ollama", ollama);
    engines.push(new OllamaEngine({ url, findKey, contextTokens, pull, optional: engine === "auto", log }));
  }
  if (engine === "llama" && llama.model_path === null) {
    throw new AppError(
      "INVALID_CONFIG",
      "miner.engine is llama, but miner.engines.llama.model_path is not set",
    );
  }
  if ((engine === "llama" || engine === "auto") && llama.model_path !== null) {
    engines.push(await createOwnModelEngine(setup, llama.model_path));
  } else if (llama.gpu !== false) {
    throw new AppError(
      "INVALID_CONFIG",
      `miner.engines.llama.gpu is ${llama.gpu}, but no model is run by llama.cpp on it; set miner.engines.llama.model_path (--model-path)`,
    );
  }
  if (engine === "builtin" || engine === "auto") {
    const modelPath = await inputs.builtinModelPath();
    const runtimeVersion = inputs.llamaRuntime?.version ?? null;
    engines.push(
      createBuiltinEngine({
        command: inputs.command(),
        runtimeVersion,
        slots,
        idleMs: IDLE_MS,
        log,
        modelPath,
      }),
    );
  }
  return engines;
}

function createOpenAiEngine(config: MinerConfig["engines"]["openai"], url: string): Engine {
  const { server, models, context_tokens, features, continues } = config;
  return new OpenAiEngine({
    url,
    findKey: createFindKey("openai", config),
    keyName: nameOfKey(config),
    settings: {
      kind: server === "auto" ? null : server,
      only: models,
      contextTokens: context_tokens,
      features,
      continues,
    },
  });
}

/** Where a server's key comes from. */
type KeySource = Pick<MinerConfig["engines"]["openai"], "api_key" | "api_key_file">;

/** Finds a server's key. Its file is read for each call, since the key may be replaced. */
function createFindKey(
  engine: "ollama" | "openai",
  { api_key, api_key_file }: KeySource,
): () => Promise<string | undefined> {
  return async () => {
    if (api_key !== undefined || api_key_file === undefined) return api_key;
    const key = await readSecretFile(api_key_file);
    if (key) return key;
    throw new AppError(
      "ENGINE_UNAVAILABLE",
      `miner.engines.${engine}.api_key_file names ${api_key_file}, which holds no key`,
    );
  };
}

function nameOfKey({ api_key, api_key_file }: KeySource): string {
  if (api_key !== undefined) return "the key of AITBC_MINER__ENGINES__OPENAI__API_KEY";
  if (api_key_file !== undefined) return `the key in ${api_key_file} (miner.engines.openai.api_key_file)`;
  return "calls without a key; set miner.engines.openai.api_key_file";
}

async function createOwnModelEngine(setup: EngineSetup, modelPath: string): Promise<Engine> {
  const { config, inputs, probeGpus, log } = setup;
  const { name, threads, context_tokens, gpu, path } = config.engines.llama;
  const found = path === null ? undefined : findLlamaRuntime(path);
  const runtime = found ?? inputs.llamaRuntime;
  const command = inputs.command(found?.entry);
  const devices =
    gpu !== false &&
    (await chooseGpu(gpu, {
      backends: runtime?.backends ?? [],
      probe: await probeGpus(),
      find: (backend) => findGpuDevices(command, backend),
    }));
  return createLlamaEngine({
    command,
    runtimeVersion: runtime?.version ?? null,
    slots: config.slots,
    idleMs: IDLE_MS,
    log,
    name: "llama",
    model: name ?? modelName(modelPath),
    modelPath,
    threads,
    contextTokens: context_tokens,
    gpu: devices,
  });
}

/** A model's name from its file's, as frames carry it: printable ASCII without spaces. */
function modelName(path: string): string {
  return printable(basename(path).replace(/\.gguf$/i, ""), MAX_MODEL_NAME).replaceAll(" ", "-");
}
