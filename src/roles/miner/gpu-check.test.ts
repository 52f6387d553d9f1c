import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { silentLog } from "../../../test/harness/miner-bench.ts";
import { MinerConfig } from "./config.ts";
import { createEngines } from "./engine-setup.ts";
import { findLlamaRuntime } from "./engines/llama-runtime.ts";
import { requireGpu } from "./gpu-check.ts";
import type { GpuProbe } from "./probe/gpus.ts";

const NONE: GpuProbe = {
  gpus: [],
  cuda: null,
  attempts: [
    { tool: "nvidia-smi", outcome: "not installed" },
    { tool: "rocm-smi", outcome: "not installed" },
  ],
};
const NVIDIA: GpuProbe = {
  gpus: [{ name: "NVIDIA H100 PCIe", memory_mb: 81_559 }],
  cuda: "12.4",
  attempts: [{ tool: "nvidia-smi", outcome: "1 GPU" }],
};
const AMD: GpuProbe = {
  gpus: [{ name: "Radeon RX 7900 XT", memory_mb: 20_464 }],
  cuda: null,
  attempts: [{ tool: "rocm-smi", outcome: "1 GPU" }],
};

describe("--gpu", () => {
  it("refuses where no GPU is, and says what was tried", () => {
    expect(() => requireGpu("auto", NONE, { backends: ["cuda"] }, "linux")).toThrow(
      /no usable GPU \(nvidia-smi: not installed; rocm-smi: not installed\)/,
    );
    expect(() => requireGpu("cuda", AMD, { backends: ["cuda"] }, "linux")).toThrow(/no NVIDIA GPU/);
  });

  it("refuses where llama.cpp cannot use the GPU, and says how to get one that can", () => {
    expect(() => requireGpu("auto", NVIDIA, { backends: [] }, "linux")).toThrow(
      /nvidia-smi: 1 GPU.*has no GPU backend; set miner\.engines\.llama\.path/,
    );
    expect(() => requireGpu("cuda", NVIDIA, { backends: ["vulkan"] }, "linux")).toThrow(/only vulkan/);
  });

  it("takes what fits", () => {
    requireGpu("auto", NVIDIA, { backends: ["vulkan"] }, "linux");
    requireGpu("vulkan", AMD, { backends: ["cuda", "vulkan"] }, "linux");
    requireGpu("auto", NONE, { backends: ["metal"] }, "darwin");
    expect(() => requireGpu("auto", NONE, { backends: ["metal"] }, "linux")).toThrow();
  });
});

/** node-llama-cpp's name of this platform. */
const PLATFORM = `${process.platform === "darwin" ? "mac" : process.platform}-${process.arch}`;

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), "aitbc-runtime-"));
  onTestFinished(() => rmSync(path, { recursive: true }));
  return path;
}

function install(path: string, packages: readonly string[]): void {
  const place = join(path, "node-llama-cpp");
  mkdirSync(place, { recursive: true });
  writeFileSync(
    join(place, "package.json"),
    JSON.stringify({ name: "node-llama-cpp", version: "3.20.0", main: "./dist/index.js" }),
  );
  for (const name of packages) mkdirSync(join(path, "@node-llama-cpp", name), { recursive: true });
}

describe("the folder of a runtime", () => {
  it("finds node-llama-cpp and its GPU packages for this platform, however the folder is named", () => {
    const root = folder();
    const modules = join(root, "node_modules");
    install(modules, [PLATFORM, `${PLATFORM}-cuda`, `${PLATFORM}-cuda-ext`, "other-os-vulkan"]);
    const runtime = {
      version: "3.20.0",
      entry: join(modules, "node-llama-cpp", "dist/index.js"),
      backends: ["cuda"],
    };
    expect(findLlamaRuntime(root)).toEqual(runtime);
    expect(findLlamaRuntime(modules)).toEqual(runtime);
    expect(findLlamaRuntime(join(modules, "node-llama-cpp"))).toEqual(runtime);
  });

  it("says where it looked when the folder holds none", () => {
    const root = folder();
    expect(() => findLlamaRuntime(root)).toThrow(new RegExp(`${root} holds no node-llama-cpp .*npm install`));
  });
});

describe("engines", () => {
  const create = async (config: object, probe = NONE): Promise<string[]> => {
    const commands: (string | undefined)[] = [];
    const engines = await createEngines({
      config: MinerConfig.parse(config),
      inputs: {
        command: (entry) => {
          commands.push(entry);
          return ["false"];
        },
        llamaRuntime: { version: "test", backends: [] },
        builtinModelPath: async () => "/model.gguf",
      },
      probeGpus: async () => probe,
      log: silentLog,
    });
    for (const engine of engines) await engine[Symbol.asyncDispose]();
    return [...engines.map(({ name }) => name), ...commands.filter((entry) => entry !== undefined)];
  };
  const own = { model_path: "/x.gguf" };

  it("are chosen by the configuration", async () => {
    expect(await create({})).toEqual(["ollama", "builtin"]);
    expect(await create({ engines: { llama: own } })).toEqual(["ollama", "llama", "builtin"]);
    expect(await create({ engine: "ollama" })).toEqual(["ollama"]);
    expect(await create({ engine: "builtin" })).toEqual(["builtin"]);
    expect(await create({ engine: "llama", engines: { llama: own } })).toEqual(["llama"]);
    await expect(create({ engine: "llama" })).rejects.toMatchObject({ code: "INVALID_CONFIG" });
  });

  it("refuse a GPU that cannot be used", async () => {
    await expect(create({ engines: { llama: { ...own, gpu: "auto" } } }, NVIDIA)).rejects.toMatchObject({
      code: "ENGINE_UNAVAILABLE",
    });
    await expect(create({ engines: { llama: { gpu: "auto" } } })).rejects.toMatchObject({
      code: "INVALID_CONFIG",
    });
  });

  it("take the runtime that the configuration names", async () => {
    const root = folder();
    install(join(root, "node_modules"), [`${PLATFORM}-vulkan`]);
    const llama = { ...own, gpu: "auto", path: root };
    expect(await create({ engine: "llama", engines: { llama } }, AMD)).toEqual([
      "llama",
      join(root, "node_modules/node-llama-cpp/dist/index.js"),
    ]);
  });
});
