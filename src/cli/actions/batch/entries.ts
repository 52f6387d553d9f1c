import { AppError } from "../../../kernel/errors.ts";
import { type JsonValue, parseJson } from "../../../kernel/json.ts";
import { JobSubmission } from "../../../wire/jobs.ts";
import { parseCsv } from "./csv.ts";

/** One job of a batch: where it stands in the file, and what it is or why it is none. */
export interface BatchEntry {
  /** Line of the file from 1 on; in a JSON array the number of the element. */
  readonly line: number;
  readonly job?: JobSubmission;
  readonly error?: string;
}

/** Columns and members that hold numbers. */
const NUMBERS: ReadonlySet<string> = new Set([
  "max_tokens",
  "temperature",
  "top_p",
  "top_k",
  "seed",
  "priority",
  "ttl_seconds",
  "max_run_seconds",
  "max_attempts",
]);
/** Members that stand beside the payload; all others stand in it. */
const OUTSIDE: ReadonlySet<string> = new Set([
  "constraints",
  "priority",
  "ttl_seconds",
  "max_run_seconds",
  "max_attempts",
]);

/**
 * Reads the jobs of a batch: a JSON array, JSON lines, or CSV with a header (by the file's name). An entry is a
 * prompt, a submission with `payload`, or its members side by side.
 * @throws AppError INVALID_ARGUMENT when the file as a whole cannot be read
 */
export function parseBatch(text: string, name: string): BatchEntry[] {
  if (/\.csv$/i.test(name)) return fromCsv(text);
  if (text.trimStart().startsWith("[")) return fromArray(text);
  return text
    .split("\n")
    .map((line, index) => ({ line: index + 1, text: line.trim() }))
    .filter((entry) => entry.text !== "")
    .map(({ line, text: json }) => fromJson(line, json));
}

function fromCsv(text: string): BatchEntry[] {
  const [header, ...records] = parseCsv(text.replace(/^\uFEFF/, ""));
  const names = (header?.cells ?? []).map((name) => name.trim());
  if (!names.includes("prompt")) {
    throw new AppError("INVALID_ARGUMENT", "the first line must name the columns, and one must be prompt");
  }
  return records.map(({ line, cells }) => {
    if (cells.length !== names.length) {
      return { line, error: `${cells.length} cells under ${names.length} columns` };
    }
    const members = names.flatMap((name, index): [string, JsonValue][] => {
      const cell = cells[index] ?? "";
      if (cell === "") return [];
      return [[name, NUMBERS.has(name) && !Number.isNaN(Number(cell)) ? Number(cell) : cell]];
    });
    return toEntry(line, Object.fromEntries(members));
  });
}

function fromArray(text: string): BatchEntry[] {
  try {
    const values = parseJson(text);
    if (Array.isArray(values)) return values.map((value, index) => toEntry(index + 1, value));
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new AppError("INVALID_ARGUMENT", `the file is no JSON array: ${why}`, { cause });
  }
  throw new AppError("INVALID_ARGUMENT", "the file is no JSON array");
}

function fromJson(line: number, text: string): BatchEntry {
  try {
    return toEntry(line, parseJson(text));
  } catch (error) {
    return { line, error: error instanceof Error ? error.message : String(error) };
  }
}

function toEntry(line: number, value: JsonValue): BatchEntry {
  const parsed = JobSubmission.safeParse(toSubmission(value));
  if (parsed.success) return { line, job: parsed.data };
  const [issue] = parsed.error.issues;
  return { line, error: `/${issue?.path.join("/") ?? ""}: ${issue?.message ?? "is not allowed"}` };
}

function toSubmission(value: JsonValue): unknown {
  if (typeof value === "string") return { payload: { type: "inference", prompt: value } };
  if (typeof value !== "object" || value === null || Array.isArray(value) || "payload" in value) return value;
  const entries = Object.entries(value);
  return {
    payload: { type: "inference", ...Object.fromEntries(entries.filter(([name]) => !OUTSIDE.has(name))) },
    ...Object.fromEntries(entries.filter(([name]) => OUTSIDE.has(name))),
  };
}
