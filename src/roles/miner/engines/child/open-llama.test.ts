import console from "node:console";
import { describe, expect, it, vi } from "vitest";
import type { ModelSetup } from "../frames.ts";
import type { LlamaLibrary } from "./llama-library.ts";
import { ModelRunner } from "./model-runner.ts";
import { openLlama } from "./open-llama.ts";

/** What node-llama-cpp made of the wish for a GPU. */
interface Outcome {
  readonly gpu?: string | false;
  readonly devices?: readonly string[];
  readonly layers?: readonly [onGpu: number, all: number];
}

/** node-llama-cpp as far as it is asked here; `getLlama` stands for all that goes on in it. */
function libraryOf(getLlama: () => Outcome): LlamaLibrary {
  const open = async () => {
    const { gpu = false, devices = [], layers = [0, 4] } = getLlama();
    const [gpuLayers, totalLayers] = layers;
    const model = { gpuLayers, fileInsights: { totalLayers } };
    return { gpu, getGpuDeviceNames: async () => devices, loadModel: async () => model };
  };
  // Nothing else of the library is reached.
  return { getLlama: open, LlamaLogLevel: { error: "error" } } as unknown as LlamaLibrary;
}

const opened = (gpu: ModelSetup["gpu"], outcome: Outcome) =>
  openLlama(
    libraryOf(() => outcome),
    { gpu },
  );
const unusable = (message: RegExp) =>
  expect.objectContaining({ code: "ENGINE_UNAVAILABLE", message: expect.stringMatching(message) });

describe("llama.cpp that was asked for a GPU", () => {
  it("tells which ones it found, and none on the processor", async () => {
    const devices = ["NVIDIA H100 PCIe", "NVIDIA H100 PCIe"];
    expect((await opened("cuda", { gpu: "cuda", devices })).devices).toEqual(devices);
    expect((await opened(false, {})).devices).toEqual([]);
  });

  it("is refused when it fell back to the processor without a word", async () => {
    await expect(opened("cuda", { gpu: false })).rejects.toEqual(
      unusable(/^cuda: llama.cpp cannot load it$/),
    );
  });

  it("is refused when it has the backend and sees no device", async () => {
    await expect(opened("vulkan", { gpu: "vulkan" })).rejects.toEqual(
      unusable(/^vulkan: llama.cpp finds no device/),
    );
  });

  it("is refused with the reason that was told on the console alone, which is as before afterwards", async () => {
    const told = vi.spyOn(console, "error").mockImplementation(() => {});
    const before = console.error;
    const library = libraryOf(() => {
      console.error("Failed to load. Error:", new Error("libvulkan.so.1: cannot open shared object file"));
      throw new Error("NoBinaryFoundError");
    });
    await expect(openLlama(library, { gpu: "vulkan" })).rejects.toEqual(
      unusable(/^vulkan: libvulkan.so.1: cannot open/),
    );
    expect(told).toHaveBeenCalledOnce();
    expect(console.error).toBe(before);
    await expect(openLlama(library, { gpu: false })).rejects.toThrow("NoBinaryFoundError");
    told.mockRestore();
  });
});

describe("a model", () => {
  const setup = { model_path: "/x.gguf", slots: 1, threads: 1, context_tokens: 64 };

  it("of which no layer fits into the GPU's memory is not computed on the processor", async () => {
    const library = libraryOf(() => ({ gpu: "cuda", devices: ["Small card"], layers: [0, 33] }));
    await expect(ModelRunner.load(library, { ...setup, gpu: "cuda" })).rejects.toEqual(
      unusable(/no layer of the model fits into the memory of Small card/),
    );
  });
});
