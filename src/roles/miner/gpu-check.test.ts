import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { silentLog } from "../../../test/harness/miner-bench.ts";
import { AppError } from "../../kernel/errors.ts";
import { MinerConfig } from "./config.ts";
import { createEngines } from "./engine-setup.ts";
import type { EngineProbe } from "./engines/engine.ts";
import type { Backend } from "./engines/frames.ts";
import type { GpuDevices } from "./engines/gpu-devices.ts";
import { findLlamaRuntime } from "./engines/llama-runtime.ts";
import { chooseGpu } from "./gpu-check.ts";
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

describe("--gpu", () => {
  /** Lets llama.cpp find these; all others are missing. */
  const finding =
    (...present: readonly Backend[]) =>
    async (backend: Backend): Promise<GpuDevices> => {
      if (present.includes(backend)) return { backend, devices: ["Card"] };
      throw new AppError("ENGINE_UNAVAILABLE", `${backend}: lib${backend}.so is missing`);
    };
  const chosen = async (
    wanted: Backend | "auto",
    backends: readonly Backend[],
    present: readonly Backend[],
    probe = NVIDIA,
  ) => (await chooseGpu(wanted, { backends, probe, find: finding(...present) })).backend;

  it("refuses where neither a GPU nor a backend is, and says what was tried", async () => {
    await expect(chosen("auto", [], [], NONE)).rejects.toThrow(
      /no usable GPU \(nvidia-smi: not installed; rocm-smi: not installed\)/,
    );
  });

  it("refuses where llama.cpp has no backend for the GPU, and says how to get one", async () => {
    await expect(chosen("auto", [], [])).rejects.toThrow(
      /nvidia-smi: 1 GPU.*has no GPU backend; set miner\.engines\.llama\.path/,
    );
    await expect(chosen("cuda", ["vulkan"], ["vulkan"])).rejects.toThrow(/only vulkan/);
  });

  it("refuses where llama.cpp sees no GPU, whatever the makers' tools say, and says why for each backend", async () => {
    await expect(chosen("auto", ["cuda", "vulkan"], [])).rejects.toMatchObject({
      code: "ENGINE_UNAVAILABLE",
      message: expect.stringMatching(
        /^--gpu auto: llama\.cpp can use no GPU here: cuda: libcuda\.so is missing; vulkan: libvulkan\.so is missing \(nvidia-smi: 1 GPU\); or leave --gpu/,
      ),
    });
    await expect(chosen("cuda", ["cuda", "vulkan"], ["vulkan"])).rejects.toThrow(/cuda: libcuda/);
  });

  it("takes the first that llama.cpp can use, also a GPU that has no maker's tool", async () => {
    expect(await chosen("auto", ["cuda", "vulkan"], ["cuda", "vulkan"])).toBe("cuda");
    expect(await chosen("auto", ["cuda", "vulkan"], ["vulkan"])).toBe("vulkan");
    expect(await chosen("vulkan", ["cuda", "vulkan"], ["cuda", "vulkan"])).toBe("vulkan");
    expect(await chosen("auto", ["metal"], ["metal"], NONE)).toBe("metal");
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

/** A child that finds a card, or says that it finds none. */
const FINDS = `process.on("message", () =>
  process.send({ type: "ready", devices: ["Card"], layers: 0, gpu_layers: 0 }))`;
const FINDS_NONE = `process.on("message", () =>
  process.send({ type: "unusable", code: "ENGINE_UNAVAILABLE", detail: "vulkan: no device" }))`;

const versionOf = (probe: EngineProbe): string | undefined => (probe.available ? probe.version : undefined);

describe("engines", () => {
  const create = async (config: object, probe = NONE, child = FINDS): Promise<string[]> => {
    const told: (string | undefined)[] = [];
    const engines = await createEngines({
      config: MinerConfig.parse(config),
      inputs: {
        command: (entry) => {
          told.push(entry);
          return [process.execPath, "-e", child];
        },
        llamaRuntime: { version: "test", backends: [] },
        builtinModelPath: async () => "/model.gguf",
      },
      probeGpus: async () => probe,
      log: silentLog,
    });
    for (const engine of engines) {
      if (engine.name === "llama") told.push(versionOf(await engine.probe()));
      await engine[Symbol.asyncDispose]();
    }
    return [...engines.map(({ name }) => name), ...told.filter((entry) => entry !== undefined)];
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

  it("take the runtime that the configuration names, and ask it for its GPUs", async () => {
    const root = folder();
    install(join(root, "node_modules"), [`${PLATFORM}-vulkan`]);
    const settings = { model_path: import.meta.filename, gpu: "auto", path: root };
    const llama = { engine: "llama", engines: { llama: settings } };
    expect(await create(llama)).toEqual([
      "llama",
      join(root, "node_modules/node-llama-cpp/dist/index.js"),
      "node-llama-cpp 3.20.0 on vulkan (Card)",
    ]);
    await expect(create(llama, NVIDIA, FINDS_NONE)).rejects.toThrow(/can use no GPU here: vulkan: no device/);
    await expect(create(llama, NVIDIA, "process.exit(7)")).rejects.toThrow(/process ended \(exit code 7\)/);
  });
});
