import { cpus, hostname, totalmem } from "node:os";
import type { Log } from "../../kernel/log.ts";
import { MAX_MODELS, MAX_NAME } from "../../wire/limits.ts";
import type { MinerCapabilities, MinerModel } from "../../wire/session.ts";
import type { Engine } from "./engines/engine.ts";

const BYTES_PER_MB = 1024 * 1024;
/** Longest processor name that a frame carries, in characters. */
const MAX_CPU_NAME = 128;

/** Text from the machine as frames carry it: printable ASCII, bounded, never empty. */
export function printable(text: string, maxLength: number): string {
  const clean = text.replace(/[^\x20-\x7e]+/g, "?").trim();
  return clean.slice(0, maxLength) || "unknown";
}

/** Name of this machine, for people. */
export function hostDisplayName(): string {
  return printable(hostname(), MAX_NAME);
}

/** What this machine offers: its hardware, and the models of the engines that run here. */
export interface Offering {
  readonly capabilities: MinerCapabilities;
  /** Engine by the name of the model it offers; where two offer one name, the first engine has it. */
  readonly engines: ReadonlyMap<string, Engine>;
}

/** Asks every engine what it can do. One that cannot run here is logged and left out. */
export async function probeOffering(
  engines: readonly Engine[],
  price: number | null,
  log: Log,
): Promise<Offering> {
  const models: MinerModel[] = [];
  const byModel = new Map<string, Engine>();
  for (const engine of engines) {
    for (const model of await listModels(engine, log)) {
      if (byModel.has(model.name) || models.length >= MAX_MODELS) continue;
      byModel.set(model.name, engine);
      models.push(model);
    }
  }
  const processors = cpus();
  return {
    engines: byModel,
    capabilities: {
      gpus: [],
      cuda: null,
      cpu: {
        name: printable(processors[0]?.model ?? "", MAX_CPU_NAME),
        cores: Math.max(1, processors.length),
      },
      memory_mb: Math.floor(totalmem() / BYTES_PER_MB),
      models,
      price,
    },
  };
}

async function listModels(engine: Engine, log: Log): Promise<MinerModel[]> {
  try {
    const probe = await engine.probe();
    if (!probe.available) {
      log.warn({ engine: engine.name, reason: probe.reason }, "engine cannot run here");
      return [];
    }
    return (await engine.models()).map((model) => ({
      ...model,
      engine: engine.name,
      tokens_per_second: null,
    }));
  } catch (error) {
    log.warn({ engine: engine.name, err: error }, "engine has no usable model");
    return [];
  }
}
