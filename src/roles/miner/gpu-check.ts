import { AppError, toAppError } from "../../kernel/errors.ts";
import type { Backend } from "./engines/frames.ts";
import type { GpuDevices } from "./engines/gpu-devices.ts";
import { describeAttempts, type GpuProbe } from "./probe/gpus.ts";

/** What the choice of a GPU rests on. */
export interface GpuCheck {
  /** Backends whose packages the llama.cpp in use has, best first. */
  readonly backends: readonly Backend[];
  /** What the makers' tools say; for refusals, since llama.cpp may see more or less than they do. */
  readonly probe: GpuProbe;
  /** Lets llama.cpp look for the devices of a backend. @throws AppError when it finds none */
  readonly find: (backend: Backend) => Promise<GpuDevices>;
}

/**
 * The GPUs that llama.cpp computes on: those of the first backend that has any. Refuses where none has: a miner that
 * was told to use a GPU would compute on the processor, and its owner would find out from what it earns.
 * @throws AppError ENGINE_UNAVAILABLE, saying what was tried and found
 */
export async function chooseGpu(
  wanted: Backend | "auto",
  { backends, probe, find }: GpuCheck,
): Promise<GpuDevices> {
  const found = describeAttempts(probe);
  const fits = backends.filter((backend) => wanted === "auto" || wanted === backend);
  if (fits.length === 0) throw unusable(wanted, explainNoBackend(backends, probe, found));
  const reasons: string[] = [];
  for (const backend of fits) {
    try {
      return await find(backend);
    } catch (error) {
      reasons.push(toAppError(error).message);
    }
  }
  throw unusable(wanted, `llama.cpp can use no GPU here: ${reasons.join("; ")} (${found})`);
}

function explainNoBackend(backends: readonly Backend[], { gpus }: GpuProbe, found: string): string {
  if (gpus.length === 0) return `this machine has no usable GPU (${found})`;
  const has = backends.length === 0 ? "no GPU backend" : `only ${backends.join(" and ")}`;
  return `a GPU was found (${found}), but the llama.cpp in use has ${has}; set miner.engines.llama.path to a folder made with: npm install --prefix FOLDER node-llama-cpp`;
}

function unusable(wanted: string, reason: string): AppError {
  const advice = "leave --gpu (miner.engines.llama.gpu) out to compute on the processor";
  return new AppError("ENGINE_UNAVAILABLE", `--gpu ${wanted}: ${reason}; or ${advice}`);
}
