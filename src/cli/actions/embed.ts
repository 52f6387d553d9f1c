import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { AppError } from "../../kernel/errors.ts";
import { MAX_BODY_BYTES } from "../../wire/limits.ts";
import { formatTable, printResult } from "../format.ts";
import { type Io, writeLine } from "../io.ts";
import type { GlobalOptions } from "../options.ts";
import { readInput } from "../read-input.ts";
import { openClient } from "../session.ts";
import { painter } from "../style.ts";
import { checkPayload } from "./answer/payload.ts";
import { followJob } from "./follow.ts";
import { outcomeError } from "./outcome.ts";

export interface EmbedOptions extends GlobalOptions {
  readonly model?: string;
  readonly dimensions?: number;
  readonly file?: readonly string[];
}

/** Bytes of one number of a vector. */
const FLOAT_BYTES = 4;
/** Numbers of a vector that people see of it. */
const SHOWN_NUMBERS = 4;
const DIGITS = 4;

/** Reads a vector: 32-bit floats, little-endian, as base64. */
function parseVector(base64: string): number[] {
  const bytes = Buffer.from(base64, "base64");
  return Array.from({ length: Math.floor(bytes.length / FLOAT_BYTES) }, (_, index) =>
    bytes.readFloatLE(index * FLOAT_BYTES),
  );
}

/** Vectors for people: how long each is, in numbers and in its norm, and how it begins. */
export function formatVectors(vectors: readonly string[]): string {
  const rows = vectors.map(parseVector).map((vector, index) => [
    index,
    vector.length,
    Math.hypot(...vector).toFixed(DIGITS),
    vector
      .slice(0, SHOWN_NUMBERS)
      .map((number) => number.toFixed(DIGITS))
      .join(" "),
  ]);
  return formatTable(["input", "dimensions", "norm", "begins with"], rows);
}

/** The texts of the arguments and files, in their order. */
async function readTexts(io: Io, texts: readonly string[], files: readonly string[]): Promise<string[]> {
  const given = await Promise.all(
    texts.map((text) => (text === "-" ? readInput(io, MAX_BODY_BYTES) : Promise.resolve(text))),
  );
  const read = await Promise.all(files.map((file) => readText(resolve(io.cwd, file))));
  const all = [...given, ...read];
  if (all.length > 0) return all;
  throw new AppError("INVALID_ARGUMENT", "there is nothing to embed", {
    meta: { hint: 'aitbc client embed "a text", or --file FILE, or - for stdin' },
  });
}

function readText(path: string): Promise<string> {
  return readFile(path, "utf8").catch((cause: unknown) => {
    throw new AppError("INVALID_ARGUMENT", `${path} cannot be read`, { cause });
  });
}

/** Lets a model turn texts into vectors, and prints them. */
export async function embed(io: Io, options: EmbedOptions, texts: readonly string[]): Promise<void> {
  const { model, dimensions, file = [], output = "table" } = options;
  const input = await readTexts(io, texts, file);
  const payload = checkPayload({ type: "embedding", input, model, dimensions });
  const client = await openClient(io, options, "client");
  const { job_id } = await client.submitJob({ payload });
  const { output: delivered, end, interrupted } = await followJob(io, client, job_id, {});
  const failure = outcomeError(job_id, end.state, end.error);
  if (failure && interrupted) throw new AppError("INTERRUPTED", `job ${job_id} was canceled, as you asked`);
  if (failure) throw failure;
  const { embeddings } = delivered.answer;
  const { units, receipt_id } = end;
  const value = { job_id, units, receipt_id, embeddings: embeddings.map(parseVector) };
  await printResult(io, output, value, () => formatVectors(embeddings));
  const about = `job ${job_id} · ${units} units${receipt_id === null ? "" : ` · receipt ${receipt_id}`}`;
  writeLine(io.stderr, about, (text) => painter(io.stderr, io.env)("dim", text));
}
