/** The miner: takes offers from a coordinator, runs them on its engines, signs what it delivers. */
import { MinerConfig } from "./config.ts";
import { createEngines } from "./engine-setup.ts";
import { Miner } from "./miner.ts";
import type { MinerDeps } from "./ports.ts";
import { type GpuProbe, probeGpus } from "./probe/gpus.ts";

export { type BenchResult, benchEngines } from "./bench.ts";
export { MinerConfig } from "./config.ts";
export { createEngines } from "./engine-setup.ts";
export type { LlamaLibrary } from "./engines/child/llama-library.ts";
export { runEngineChild } from "./engines/child/run-engine-child.ts";
export type { Engine } from "./engines/engine.ts";
export { findLlamaRuntime, type LlamaRuntime } from "./engines/llama-runtime.ts";
export { pullModel } from "./engines/ollama-pull.ts";
export type { CoordinatorLink, EngineInputs, MinerDeps } from "./ports.ts";
export { probeGpus } from "./probe/gpus.ts";

/** The role's only door. `create` does no I/O. */
export const miner = {
  name: "miner",
  config: MinerConfig,
  create(config: MinerConfig, deps: MinerDeps): Miner {
    // Both the check of --gpu and the capabilities ask, and the tools can be slow.
    let gpus: Promise<GpuProbe> | undefined;
    const askGpus = (): Promise<GpuProbe> => {
      gpus ??= probeGpus();
      return gpus;
    };
    const { engines: inputs, log } = deps;
    return new Miner({
      ...deps,
      config,
      probeGpus: askGpus,
      createEngines: () => createEngines({ config, inputs, probeGpus: askGpus, log }),
    });
  },
} as const;
