/** The miner: takes offers from a coordinator, runs them on its engines, signs what it delivers. */
import { MinerConfig } from "./config.ts";
import { createEngines } from "./engine-setup.ts";
import { Miner } from "./miner.ts";
import type { MinerDeps } from "./ports.ts";

export { MinerConfig } from "./config.ts";
export type { LlamaLibrary } from "./engines/child/llama-library.ts";
export { runEngineChild } from "./engines/child/run-engine-child.ts";
export type { CoordinatorLink, MinerDeps } from "./ports.ts";

/** The role's only door. `create` does no I/O. */
export const miner = {
  name: "miner",
  config: MinerConfig,
  create(config: MinerConfig, deps: MinerDeps): Miner {
    return new Miner({
      ...deps,
      config,
      createEngines: () => createEngines(config, deps.engines, deps.log),
    });
  },
} as const;
