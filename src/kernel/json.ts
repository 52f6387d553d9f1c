/**
 * The one strict JSON parser (RFC 8259). It accepts what JSON.parse accepts, less what two readers could
 * understand differently: duplicate members, a member `__proto__`, lone surrogates, numbers past the range
 * of a double; and less what is too deep or too large.
 */
import { AppError } from "./errors.ts";
import { JsonReader } from "./json-reader.ts";
import type { JsonLexeme, JsonValue } from "./json-value.ts";

export {
  type JsonLexeme,
  type JsonLexemeObject,
  JsonNumber,
  type JsonValue,
  toJsonPointer,
} from "./json-value.ts";

/** Arrays and objects inside one another: no document of ours has ten, and 64 cannot exhaust the stack. */
export const MAX_JSON_DEPTH = 64;

export interface JsonLimits {
  /** Containers inside one another, the outermost included. Default: MAX_JSON_DEPTH. */
  readonly maxDepth?: number;
  /** Bytes of the text in UTF-8. Default: no limit, because the caller has bounded what it reads. */
  readonly maxBytes?: number;
}

/**
 * Parses a JSON text. Throws AppError: MALFORMED_JSON for what is no JSON, INVALID_PAYLOAD for what is
 * refused though well-formed, PAYLOAD_TOO_LARGE past `maxBytes`; with `meta.pointer` (RFC 6901) to the member
 * and `meta.offset`, its position in UTF-16 units.
 */
export function parseJson(text: string, limits: JsonLimits = {}): JsonValue {
  checkBytes(text, limits.maxBytes);
  // The reader builds numbers itself unless it is asked for lexemes.
  return new JsonReader(text, limits.maxDepth ?? MAX_JSON_DEPTH, false).readDocument() as JsonValue;
}

/** Parses as `parseJson` does and keeps every number as a JsonNumber. */
export function parseJsonLexemes(text: string, limits: JsonLimits = {}): JsonLexeme {
  checkBytes(text, limits.maxBytes);
  // The reader makes every number a JsonNumber when it is asked for lexemes.
  return new JsonReader(text, limits.maxDepth ?? MAX_JSON_DEPTH, true).readDocument() as JsonLexeme;
}

function checkBytes(text: string, maxBytes = Number.POSITIVE_INFINITY): void {
  // A UTF-16 unit takes one to three bytes of UTF-8: only in between must the bytes be counted.
  if (text.length * 3 <= maxBytes) return;
  if (text.length > maxBytes || new TextEncoder().encode(text).length > maxBytes) {
    throw new AppError("PAYLOAD_TOO_LARGE", `the JSON text is longer than ${maxBytes} bytes`);
  }
}
