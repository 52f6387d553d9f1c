import { AppError } from "../../kernel/errors.ts";
import type { Gpu } from "./engines/frames.ts";
import type { LlamaRuntime } from "./engines/llama-runtime.ts";
import { describeAttempts, type GpuProbe } from "./probe/gpus.ts";

/**
 * Refuses to start a miner that was told to use a GPU where none can be used: it would compute on the processor,
 * and its owner would find out from what it earns.
 * @throws AppError ENGINE_UNAVAILABLE, saying what was tried and found
 */
export function requireGpu(
  wanted: Exclude<Gpu, false>,
  probe: GpuProbe,
  runtime: Pick<LlamaRuntime, "backends">,
  platform: NodeJS.Platform = process.platform,
): void {
  const { backends } = runtime;
  const fits = backends.filter((backend) => wanted === "auto" || wanted === backend);
  // Metal is part of macOS, where the makers' tools do not exist.
  if (platform === "darwin" && fits.includes("metal")) return;
  const found = describeAttempts(probe);
  if (probe.gpus.length === 0) throw unusable(wanted, `this machine has no usable GPU (${found})`);
  if (wanted === "cuda" && probe.cuda === null) throw unusable(wanted, `no NVIDIA GPU was found (${found})`);
  if (fits.length > 0) return;
  const has = backends.length === 0 ? "no GPU backend" : `only ${backends.join(" and ")}`;
  throw unusable(
    wanted,
    `a GPU was found (${found}), but the llama.cpp in use has ${has}; set miner.engines.llama.path to a folder made with: npm install --prefix FOLDER node-llama-cpp`,
  );
}

function unusable(wanted: string, reason: string): AppError {
  const advice = "leave --gpu (miner.engines.llama.gpu) out to compute on the processor";
  return new AppError("ENGINE_UNAVAILABLE", `--gpu ${wanted}: ${reason}; or ${advice}`);
}
