import type { EmbeddingPayload } from "../../../wire/jobs.ts";
import type { EmbeddingList, EmbeddingRequest } from "../../../wire/openai/embeddings.ts";
import type { WholeAnswer } from "../answers.ts";
import { toEndExtension } from "./shape.ts";

/** What a call for vectors asks of a job. */
export function toEmbeddingPayload({ model, input, dimensions }: EmbeddingRequest): EmbeddingPayload {
  return {
    type: "embedding",
    model,
    input: typeof input === "string" ? [input] : input,
    ...(dimensions != null && { dimensions }),
  };
}

/** Writes vectors. */
export function toEmbeddingList(
  { model, encoding_format }: EmbeddingRequest,
  jobId: string,
  answer: WholeAnswer,
): EmbeddingList {
  const { embeddings, usage, segments } = answer;
  const write = encoding_format === "base64" ? (text: string) => text : toNumbers;
  return {
    object: "list",
    data: embeddings.map((vector, index) => ({ object: "embedding", index, embedding: write(vector) })),
    model,
    ...(usage && { usage: { prompt_tokens: usage.prompt_tokens, total_tokens: usage.prompt_tokens } }),
    aitbc: { job_id: jobId, miner_id: segments.at(-1)?.miner_id ?? null, ...toEndExtension(answer) },
  };
}

const FLOAT_BYTES = 4;

/** Reads 32-bit floats, little-endian, that are written as base64. */
export function toNumbers(base64: string): number[] {
  const bytes = Buffer.from(base64, "base64");
  return Array.from({ length: bytes.length / FLOAT_BYTES }, (_, index) =>
    bytes.readFloatLE(index * FLOAT_BYTES),
  );
}
