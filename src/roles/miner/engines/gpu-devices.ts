import { EngineChildProcess } from "./child-process.ts";
import type { Backend } from "./frames.ts";

/** Longest wait for llama.cpp to find its GPUs, in ms: a driver that has to wake up many cards takes seconds. */
const FIND_MS = 30_000;

/** GPUs that llama.cpp computes on, all of one backend. */
export interface GpuDevices {
  readonly backend: Backend;
  /** Their names, at least one. */
  readonly devices: readonly string[];
}

/**
 * Lets llama.cpp look for the GPUs of a backend, in a child process that ends with it: a driver can crash or hang.
 * @throws AppError ENGINE_UNAVAILABLE when there is none, saying why; ENGINE_FAILED when the process crashed or hung
 */
export async function findGpuDevices(command: readonly string[], backend: Backend): Promise<GpuDevices> {
  const child = new EngineChildProcess(
    command,
    { type: "find_gpus", gpu: backend },
    { frame: () => {}, ended: () => {} },
  );
  const late = setTimeout(() => child.kill(), FIND_MS);
  try {
    const { devices } = await child.ready;
    return { backend, devices };
  } finally {
    clearTimeout(late);
    child.kill();
    await child.exited;
  }
}
