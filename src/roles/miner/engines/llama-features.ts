import type { Feature } from "../../../domain/job/answer.ts";

/** Architectures that make vectors and no text (llama.cpp, encoder-only models). */
const ENCODERS: ReadonlySet<string> = new Set([
  "bert",
  "modern-bert",
  "nomic-bert",
  "nomic-bert-moe",
  "neo-bert",
  "jina-bert-v2",
  "jina-bert-v3",
  "eurobert",
  "gemma-embedding",
  "t5encoder",
]);

const TEXT: readonly Feature[] = [
  "text",
  "embedding",
  "forced_tools",
  "logprobs",
  "json",
  "json_schema",
  "penalties",
];

/** What the llama engine can do with a model of this architecture. */
export function featuresOf(architecture: string): readonly Feature[] {
  return ENCODERS.has(architecture) ? ["embedding"] : TEXT;
}
