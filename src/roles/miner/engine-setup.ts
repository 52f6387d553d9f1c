import { basename } from "node:path";
import { AppError } from "../../kernel/errors.ts";
import type { Log } from "../../kernel/log.ts";
import { MAX_MODEL_NAME } from "../../wire/limits.ts";
import { printable } from "./capabilities.ts";
import type { MinerConfig } from "./config.ts";
import { createBuiltinEngine } from "./engines/builtin.ts";
import type { Engine } from "./engines/engine.ts";
import { createLlamaEngine, IDLE_MS } from "./engines/llama.ts";
import type { EngineInputs } from "./ports.ts";

/** Creates the engines that the configuration asks for. None of them starts yet. Throws INVALID_CONFIG. */
export async function createEngines(config: MinerConfig, inputs: EngineInputs, log: Log): Promise<Engine[]> {
  const { engine, llama, slots } = config;
  const shared = {
    command: inputs.command,
    runtimeVersion: inputs.llamaVersion,
    slots,
    idleMs: IDLE_MS,
    log,
  };
  const engines: Engine[] = [];
  if (engine !== "builtin" && llama.model_path !== null) {
    engines.push(
      createLlamaEngine({
        ...shared,
        name: "llama",
        model: llama.name ?? modelName(llama.model_path),
        modelPath: llama.model_path,
        threads: llama.threads,
        contextTokens: llama.context_tokens,
        gpu: llama.gpu,
      }),
    );
  } else if (engine === "llama") {
    throw new AppError("INVALID_CONFIG", "miner.engine is llama, but miner.llama.model_path is not set");
  }
  if (engine !== "llama") {
    engines.push(createBuiltinEngine({ ...shared, modelPath: await inputs.builtinModelPath() }));
  }
  return engines;
}

/** A model's name from its file's, as frames carry it: printable ASCII without spaces. */
function modelName(path: string): string {
  return printable(basename(path).replace(/\.gguf$/i, ""), MAX_MODEL_NAME).replaceAll(" ", "-");
}
