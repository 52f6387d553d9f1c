import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { type CommandAnswer, runCommand } from "./command.ts";
import { describeAttempts, probeGpus } from "./gpus.ts";
import { probeDisk, probeMachine } from "./machine.ts";
import { nvidiaGpus, parseNvidiaCards, parseNvidiaOverview } from "./nvidia.ts";
import { parseRocmCards } from "./rocm.ts";

/** Outputs as the tools wrote them on real machines; long tables are cut after the rows that count. */
const recorded = (name: string): string => readFileSync(join(import.meta.dirname, "recorded", name), "utf8");

/** What nvidia-smi writes, to stdout, where the kernel has no working driver. */
const NO_DRIVER =
  "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver. Make sure that the latest NVIDIA driver is installed and running.\n\n";

describe("nvidia-smi", () => {
  it("lists the cards", () => {
    expect(parseNvidiaCards(recorded("nvidia-cards.csv"))).toEqual([
      { name: "NVIDIA A100-PCIE-40GB", memory_mb: 40960 },
      { name: "NVIDIA A100-PCIE-40GB", memory_mb: 40960 },
    ]);
    expect(parseNvidiaCards("NVIDIA GB10, [N/A], 580.95.05\n")).toEqual([
      { name: "NVIDIA GB10", memory_mb: 0 },
    ]);
  });

  it("takes no message for a card", () => {
    expect(parseNvidiaCards(NO_DRIVER)).toEqual([]);
    expect(parseNvidiaCards("No devices were found\n")).toEqual([]);
    expect(parseNvidiaCards("Failed to initialize NVML: Driver/library version mismatch\n")).toEqual([]);
    expect(parseNvidiaCards("")).toEqual([]);
  });

  it("tells the newest CUDA, and that no card is split", () => {
    expect(parseNvidiaOverview(recorded("nvidia-580.txt"))).toEqual({
      cuda: "13.0",
      split: new Set(),
      parts: [],
    });
    expect(parseNvidiaOverview(recorded("nvidia-610.txt"))).toEqual({
      cuda: "13.3",
      split: new Set(),
      parts: [],
    });
    expect(parseNvidiaOverview(NO_DRIVER).cuda).toBeNull();
  });

  it("offers the parts of a split card in its place", () => {
    const overview = parseNvidiaOverview(recorded("nvidia-mig.txt"));
    expect(overview.split).toEqual(new Set([0]));
    expect(nvidiaGpus(parseNvidiaCards(recorded("nvidia-cards.csv")), overview)).toEqual([
      { name: "NVIDIA A100-PCIE-40GB MIG", memory_mb: 9856 },
      { name: "NVIDIA A100-PCIE-40GB MIG", memory_mb: 9856 },
      { name: "NVIDIA A100-PCIE-40GB", memory_mb: 40960 },
    ]);
  });

  it("offers nothing of a split card without parts", () => {
    const overview = parseNvidiaOverview(recorded("nvidia-mig-empty.txt"));
    expect(overview).toEqual({ cuda: "11.7", split: new Set([0]), parts: [] });
    expect(nvidiaGpus([{ name: "NVIDIA A100 80GB PCIe", memory_mb: 81920 }], overview)).toEqual([]);
  });
});

describe("rocm-smi", () => {
  it("lists the cards of old and new versions", () => {
    expect(parseRocmCards(recorded("rocm-rx7900.json"))).toEqual([
      { name: "Radeon RX 7900 XT", memory_mb: 20464 },
    ]);
    const card = { name: "Arcturus GL-XL [AMD Instinct MI100]", memory_mb: 32752 };
    expect(parseRocmCards(recorded("rocm-mi100.json"))).toEqual([card, card]);
    const warned = `WARNING: AMD GPU device(s) is/are in a low-power state.\n${recorded("rocm-mi100.json")}`;
    expect(parseRocmCards(warned)).toHaveLength(2);
  });

  it("takes nothing else for a card", () => {
    expect(parseRocmCards("ERROR: No AMD GPUs detected")).toEqual([]);
    expect(parseRocmCards('{"system": {"Driver version": "6.1"}}')).toEqual([]);
    expect(parseRocmCards('{"card0": {"Card Series": "Phoenix3", "VRAM Total Memory (B)": "N/A"}}')).toEqual(
      [],
    );
    expect(parseRocmCards('{"card0": null}')).toEqual([]);
    expect(parseRocmCards("[]")).toEqual([]);
  });
});

describe("probe", () => {
  const answers =
    (nvidia: (args: readonly string[]) => CommandAnswer, rocm: CommandAnswer) =>
    async (file: string, args: readonly string[]): Promise<CommandAnswer> =>
      file === "nvidia-smi" ? nvidia(args) : rocm;

  it("puts together what both tools say", async () => {
    const probe = await probeGpus(
      answers(
        (args) => ({
          kind: "answered",
          text: recorded(args.length > 0 ? "nvidia-cards.csv" : "nvidia-mig.txt"),
        }),
        { kind: "answered", text: recorded("rocm-rx7900.json") },
      ),
    );
    expect(probe.gpus).toHaveLength(4);
    expect(probe.cuda).toBe("12.2");
    expect(describeAttempts(probe)).toBe("nvidia-smi: 3 GPUs; rocm-smi: 1 GPU");
  });

  it("says why there is no GPU", async () => {
    const broken = await probeGpus(
      answers(() => ({ kind: "failed", reason: "ended with exit code 9", text: NO_DRIVER }), {
        kind: "absent",
      }),
    );
    expect(broken.gpus).toEqual([]);
    expect(describeAttempts(broken)).toBe(
      `nvidia-smi: ended with exit code 9 (${NO_DRIVER.trim()}); rocm-smi: not installed`,
    );
    const split = await probeGpus(
      answers(
        (args) => ({
          kind: "answered",
          text:
            args.length > 0 ? "NVIDIA A100 80GB PCIe, 81920, 515.86.01\n" : recorded("nvidia-mig-empty.txt"),
        }),
        { kind: "answered", text: "" },
      ),
    );
    expect(describeAttempts(split)).toBe(
      "nvidia-smi: 1 card split with MIG, without a part to use; rocm-smi: names no card with memory of its own",
    );
  });

  it("tells processor, memory and free space", async () => {
    const { cpu, memory_mb } = probeMachine();
    expect(cpu.cores).toBeGreaterThan(0);
    expect(cpu.name).toMatch(/^[\x20-\x7e]+$/);
    expect(memory_mb).toBeGreaterThan(0);
    expect(await probeDisk(tmpdir())).toBeGreaterThan(0);
    expect(await probeDisk("/does/not/exist")).toBeUndefined();
  });
});

describe("runCommand", () => {
  function script(text: string): string {
    const directory = mkdtempSync(join(tmpdir(), "aitbc-probe-"));
    onTestFinished(() => rmSync(directory, { recursive: true }));
    const path = join(directory, "tool");
    writeFileSync(path, `#!/bin/sh\n${text}\n`);
    chmodSync(path, 0o755);
    return path;
  }

  it("gives what a tool writes, and how it failed", async () => {
    expect(await runCommand(script('echo "$1"'), ["a b"])).toEqual({ kind: "answered", text: "a b\n" });
    expect(await runCommand(script("echo why; exit 9"), [])).toEqual({
      kind: "failed",
      reason: "ended with exit code 9",
      text: "why\n",
    });
    expect(await runCommand("/does/not/exist", [])).toEqual({ kind: "absent" });
  });

  it("bounds what a tool writes", async () => {
    const answer = await runCommand(script("yes"), []);
    expect(answer).toMatchObject({ kind: "failed", reason: "wrote too much" });
  });
});
