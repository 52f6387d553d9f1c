import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { TestLlama } from "../../../../test/harness/llama-engine.ts";
import type { Log } from "../../../kernel/log.ts";
import { findGpuDevices } from "./gpu-devices.ts";

/** A child whose model has so many of its four layers on its card, and whose every answer is one word. */
const childWith = (gpuLayers: number): readonly string[] => [
  process.execPath,
  "-e",
  `process.on("message", ({ type, id, setup, gpu }) => {
    if (type === "find_gpus") process.send({ type: "ready", devices: [gpu + " card"], layers: 0, gpu_layers: 0 });
    if (type === "load") {
      const devices = [setup.gpu + " card"];
      process.send({ type: "ready", devices, layers: 4, gpu_layers: ${gpuLayers} });
    }
    if (type === "run") {
      process.send({ type: "chunk", id, piece: "Hello" });
      process.send({ type: "done", id, finish_reason: "stop", prompt_tokens: 1, completion_tokens: 1 });
    }
    if (type === "exit") process.exit(0);
  })`,
];

/** A log that keeps what it is told. */
function recordingLog(): { readonly log: Log; readonly records: unknown[][] } {
  const records: unknown[][] = [];
  const write =
    (level: string) =>
    (...values: unknown[]): void => {
      records.push([level, ...values]);
    };
  const levels = Object.fromEntries(["debug", "info", "warn", "error", "fatal"].map((l) => [l, write(l)]));
  // The engine uses nothing else of a log.
  return { log: levels as unknown as Log, records };
}

const gpu = { backend: "cuda", devices: ["cuda card"] } as const;

describe("the llama engine on a GPU", () => {
  it("says what it computes on, before and after it loads its model", async () => {
    const { log, records } = recordingLog();
    await using llama = new TestLlama({ command: childWith(4), gpu, log });
    expect(await llama.engine.probe()).toEqual({
      available: true,
      version: "node-llama-cpp test on cuda (cuda card)",
    });
    for (const _ of [1, 2]) expect((await llama.ask("Hello")).text).toBe("Hello");
    const fields = { engine: "llama", gpu: "cuda", devices: ["cuda card"], layers: 4, gpu_layers: 4 };
    expect(records).toEqual([["info", fields, "model is on the GPU"]]);
  });

  it("warns when a part of the model is left to the processor", async () => {
    const { log, records } = recordingLog();
    await using llama = new TestLlama({ command: childWith(3), gpu, log });
    await llama.ask("Hello");
    expect(records).toEqual([
      ["warn", expect.objectContaining({ layers: 4, gpu_layers: 3 }), expect.stringContaining("slower")],
    ]);
  });

  it("says nothing of it on the processor", async () => {
    const { log, records } = recordingLog();
    await using llama = new TestLlama({ log });
    expect((await llama.ask("What is 37 + 45?")).text).toBe("37 + 45 = 82.");
    expect(records).toEqual([]);
  });
});

describe("looking for GPUs", () => {
  it("ends the process that looked", async () => {
    const directory = mkdtempSync(join(tmpdir(), "aitbc-gpus-"));
    onTestFinished(() => rmSync(directory, { recursive: true }));
    const file = join(directory, "pid");
    const [node = "", flag = "", script = ""] = childWith(0);
    const noted = `fs.writeFileSync(${JSON.stringify(file)}, String(process.pid)); ${script}`;
    expect(await findGpuDevices([node, flag, noted], "vulkan")).toEqual({
      backend: "vulkan",
      devices: ["vulkan card"],
    });
    expect(() => process.kill(Number(readFileSync(file, "utf8")), 0)).toThrow("ESRCH");
  });

  it("fails when the process crashes, as drivers make it", async () => {
    const command = [process.execPath, "-e", "process.kill(process.pid, 'SIGSEGV')"];
    await expect(findGpuDevices(command, "cuda")).rejects.toMatchObject({
      code: "ENGINE_FAILED",
      message: expect.stringContaining("SIGSEGV"),
    });
  });
});
