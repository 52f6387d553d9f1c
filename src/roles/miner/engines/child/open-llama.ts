import console from "node:console";
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Llama } from "node-llama-cpp";
import { AppError } from "../../../../kernel/errors.ts";
import type { Backend, ModelSetup } from "../frames.ts";
import type { LlamaLibrary } from "./llama-library.ts";

/** llama.cpp, and the names of the GPUs that it computes on: none on the processor. */
export interface OpenedLlama {
  readonly llama: Llama;
  readonly devices: readonly string[];
}

/**
 * Opens llama.cpp for one GPU backend, or for the processor. The library is content with less than it was asked for:
 * where a backend's own libraries are missing, or it sees no device, it computes on the processor and says nothing.
 * @throws AppError ENGINE_UNAVAILABLE when the backend has no device here, saying why
 */
export async function openLlama(
  library: LlamaLibrary,
  { gpu, threads }: Pick<ModelSetup, "gpu"> & Partial<Pick<ModelSetup, "threads">>,
): Promise<OpenedLlama> {
  const llama = await listenForReason(gpu, () =>
    library.getLlama({
      gpu,
      build: "never",
      skipDownload: true,
      ...(threads !== undefined && { maxThreads: threads }),
      logLevel: library.LlamaLogLevel.error,
      logger: (_level, message) => process.stderr.write(message),
    }),
  );
  if (gpu === false) return { llama, devices: [] };
  if (llama.gpu !== gpu) throw unusable(gpu, findMissingLibrary(gpu) ?? "llama.cpp cannot load it");
  const devices = await llama.getGpuDeviceNames();
  if (devices.length === 0) throw unusable(gpu, "llama.cpp finds no device; is the GPU's driver installed?");
  return { llama, devices };
}

/** Why a backend cannot be loaded is told by node-llama-cpp on the console alone: its error says only that none was. */
async function listenForReason<T>(gpu: ModelSetup["gpu"], open: () => Promise<T>): Promise<T> {
  const { error: write } = console;
  let reason: string | undefined;
  console.error = (...values: unknown[]) => {
    reason ??= values.find((value) => value instanceof Error)?.message;
    write(...values);
  };
  try {
    return await open();
  } catch (error) {
    if (gpu === false || reason === undefined) throw error;
    throw unusable(gpu, reason, error);
  } finally {
    console.error = write;
  }
}

function unusable(gpu: Backend, reason: string, cause?: unknown): AppError {
  return new AppError("ENGINE_UNAVAILABLE", `${gpu}: ${reason}`, { cause });
}

const ADDON = "llama-addon.node";
/** What Node says of a library that it could load, since no backend is an add-on of Node. */
const LOADED = "did not self-register";

/**
 * Why the system's loader refuses a backend's library, in its words; they name the library that is missing. llama.cpp
 * keeps them to itself. undefined where that is not the reason, or cannot be found out.
 */
function findMissingLibrary(backend: Backend): string | undefined {
  const addon = findAddon();
  if (addon === undefined) return undefined;
  try {
    process.dlopen({ exports: {} }, join(dirname(addon), `libggml-${backend}.so`));
    return undefined;
  } catch (error) {
    const { message } = error instanceof Error ? error : new Error(String(error));
    return message.includes(LOADED) ? undefined : message;
  }
}

/** The add-on that node-llama-cpp has loaded, beside which the backends lie; undefined where the system is not Linux. */
function findAddon(): string | undefined {
  if (process.platform !== "linux") return undefined;
  const mapped = readFileSync("/proc/self/maps", "utf8").split("\n");
  const line = mapped.find((text) => text.endsWith(`/${ADDON}`));
  return line?.slice(line.indexOf("/"));
}
