import type { Command } from "commander";
import type { FlagMap } from "./options.ts";

/** The options that choose engines, for every command that runs them. */
export const ENGINE_FLAGS: FlagMap = {
  engine: ["--engine", "miner.engine"],
  modelPath: ["--model-path", "miner.engines.llama.model_path"],
  gpu: ["--gpu", "miner.engines.llama.gpu"],
  runtimePath: ["--runtime-path", "miner.engines.llama.path"],
  threads: ["--threads", "miner.engines.llama.threads"],
  ollamaUrl: ["--ollama-url", "miner.engines.ollama.url"],
  openaiUrl: ["--openai-url", "miner.engines.openai.url"],
};

/** Adds the options of `ENGINE_FLAGS` to a command. */
export function addEngineOptions(command: Command): Command {
  return command
    .option("--engine <engine>", "auto, builtin, llama, ollama or openai")
    .option("--model-path <file>", "GGUF file for the llama engine")
    .option("--gpu <backend>", "auto, cuda, vulkan or metal, where llama.cpp has it; default: no GPU")
    .option("--runtime-path <folder>", "node-llama-cpp with its CUDA or Vulkan package, for --gpu")
    .option("--threads <n>", "CPU threads of one engine; default: as many as help")
    .option("--ollama-url <url>", "Ollama server; default: the one on this machine")
    .option(
      "--openai-url <url>",
      "server that speaks OpenAI's API: vLLM, llama-server, LM Studio, another aitbc",
    );
}
