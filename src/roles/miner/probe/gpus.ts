import { MAX_GPUS } from "../../../wire/limits.ts";
import { type CommandAnswer, type RunCommand, runCommand } from "./command.ts";
import { countLabel, type Gpu } from "./gpu.ts";
import {
  explainNoNvidia,
  NVIDIA_QUERY,
  nvidiaGpus,
  parseNvidiaCards,
  parseNvidiaOverview,
} from "./nvidia.ts";
import { parseRocmCards, ROCM_QUERY } from "./rocm.ts";

/** What was asked and what came of it, for people. */
export interface Attempt {
  readonly tool: string;
  readonly outcome: string;
}

export interface GpuProbe {
  readonly gpus: readonly Gpu[];
  /** Newest CUDA that the driver runs, as `12.4`; null without an NVIDIA card. */
  readonly cuda: string | null;
  readonly attempts: readonly Attempt[];
}

interface Found {
  readonly gpus: readonly Gpu[];
  readonly cuda: string | null;
  readonly outcome: string;
}

/** Asks the makers' tools which GPUs this machine has. A tool that is absent or fails means no GPU of that maker. */
export async function probeGpus(run: RunCommand = runCommand): Promise<GpuProbe> {
  const [nvidia, rocm] = await Promise.all([probeNvidia(run), probeRocm(run)]);
  return {
    gpus: [...nvidia.gpus, ...rocm.gpus].slice(0, MAX_GPUS),
    cuda: nvidia.cuda,
    attempts: [
      { tool: "nvidia-smi", outcome: nvidia.outcome },
      { tool: "rocm-smi", outcome: rocm.outcome },
    ],
  };
}

/** What was tried, in one sentence: for refusals. */
export function describeAttempts({ attempts }: GpuProbe): string {
  return attempts.map(({ tool, outcome }) => `${tool}: ${outcome}`).join("; ");
}

async function probeNvidia(run: RunCommand): Promise<Found> {
  const answer = await run("nvidia-smi", NVIDIA_QUERY);
  const cards = answer.kind === "answered" ? parseNvidiaCards(answer.text) : [];
  if (cards.length === 0) return nothing(answer, (text) => explainNoNvidia(cards, text));
  const plain = await run("nvidia-smi", []);
  const overview = parseNvidiaOverview(plain.kind === "answered" ? plain.text : "");
  const gpus = nvidiaGpus(cards, overview);
  if (gpus.length === 0) return nothing(answer, (text) => explainNoNvidia(cards, text));
  return { gpus, cuda: overview.cuda, outcome: countLabel(gpus.length, "GPU") };
}

async function probeRocm(run: RunCommand): Promise<Found> {
  const answer = await run("rocm-smi", ROCM_QUERY);
  const gpus = answer.kind === "answered" ? parseRocmCards(answer.text) : [];
  if (gpus.length === 0) return nothing(answer, () => "names no card with memory of its own");
  return { gpus, cuda: null, outcome: countLabel(gpus.length, "GPU") };
}

function nothing(answer: CommandAnswer, explain: (text: string) => string): Found {
  return { gpus: [], cuda: null, outcome: explainNothing(answer, explain) };
}

function explainNothing(answer: CommandAnswer, explain: (text: string) => string): string {
  switch (answer.kind) {
    case "absent":
      return "not installed";
    case "answered":
      return explain(answer.text);
    case "failed": {
      const [first = ""] = answer.text.trim().split("\n");
      return first === "" ? answer.reason : `${answer.reason} (${first.trim()})`;
    }
  }
}
