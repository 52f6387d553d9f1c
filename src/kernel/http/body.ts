import type { HonoRequest } from "hono";
import type { z } from "zod";
import { AppError } from "../errors.ts";
import { toJsonPointer } from "../json.ts";
import { compiledInUse } from "./compiled-schema.ts";

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

const SEND_LESS = "send a smaller one";

function tooLarge(maxBytes: number, hint: string): AppError {
  return new AppError("PAYLOAD_TOO_LARGE", `the body is larger than ${maxBytes} bytes; ${hint}`);
}

/** Reads a body of unknown length and stops at the bound, so that nobody can fill the memory. */
async function readBounded(request: HonoRequest, maxBytes: number, hint: string): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  let length = 0;
  for await (const part of request.raw.body ?? []) {
    length += part.length;
    if (length > maxBytes) throw tooLarge(maxBytes, hint);
    parts.push(part);
  }
  return Buffer.concat(parts);
}

/**
 * Reads a request's body as JSON text of at most `maxBytes` bytes; `hint` says what to do with a larger one.
 * @throws AppError PAYLOAD_TOO_LARGE, UNSUPPORTED_MEDIA_TYPE, MALFORMED_JSON (not UTF-8)
 */
export async function readJsonText(
  request: HonoRequest,
  maxBytes: number,
  hint = SEND_LESS,
): Promise<string> {
  const type = request.header("content-type");
  if (!type || !/^application\/(?:[\w.+-]+\+)?json\b/i.test(type)) {
    throw new AppError("UNSUPPORTED_MEDIA_TYPE", "send the body with Content-Type: application/json");
  }
  const declared = Number(request.header("content-length") ?? Number.NaN);
  if (declared > maxBytes) throw tooLarge(maxBytes, hint);
  const bytes = Number.isNaN(declared)
    ? await readBounded(request, maxBytes, hint)
    : await request.arrayBuffer();
  try {
    return decoder.decode(bytes);
  } catch (cause) {
    throw new AppError("MALFORMED_JSON", "the body is not UTF-8", { cause });
  }
}

/** Where a value of a request stands. Only a body has pointers. */
export type ValuePlace = "body" | "header" | "query" | "path";

/**
 * Checks a value against a schema.
 * @throws AppError INVALID_PAYLOAD whose detail names the member and what it must be; `meta.pointer` points at a
 * member of the body
 */
export function check<T>(schema: z.ZodType<T>, value: unknown, place: ValuePlace): T {
  const result = compiledInUse(schema).safeParse(value);
  if (result.success) return result.data;
  const issue = firstIssue(result.error.issues);
  const unknown = issue?.code === "unrecognized_keys" ? issue.keys.slice(0, 1) : [];
  const keys = [...(issue?.path ?? []), ...unknown];
  const path = keys.map(String);
  const what = unknown.length > 0 ? "is not a known member" : (issue?.message ?? "is not allowed");
  if (place !== "body") throw new AppError("INVALID_PAYLOAD", `${place} ${path.join(".")}: ${what}`);
  const pointer = toJsonPointer(path);
  const fault = unknown.length > 0 ? "unknown" : isMissing(value, issue?.path ?? []) ? "missing" : "invalid";
  throw new AppError("INVALID_PAYLOAD", `${pointer || "the body"}: ${what}`, {
    meta: { pointer, fault, what },
  });
}

type Issue = z.core.$ZodIssue;

/** The issue to tell. Of a value that fits no form, what the form says that it comes closest to. */
function firstIssue(issues: readonly Issue[]): Issue | undefined {
  const [issue] = issues;
  if (issue?.code !== "invalid_union") return issue;
  // A form that is wrong only further inside is the one that was meant.
  const inner = issue.errors.map(firstIssue).find((one) => one && one.path.length > 0);
  return inner ? { ...inner, path: [...issue.path, ...inner.path] } : issue;
}

/** Whether nothing stands at a path. */
function isMissing(value: unknown, path: readonly PropertyKey[]): boolean {
  let at = value;
  for (const key of path) {
    if (typeof at !== "object" || at === null) return false;
    if (!Object.hasOwn(at, key)) return true;
    at = (at as Readonly<Record<PropertyKey, unknown>>)[key];
  }
  return false;
}
