/**
 * The canonical form of existing verifiers (Python's `json.dumps` with sorted keys, compact separators and
 * ASCII output), for receipts of version 1.0. Numbers keep their spelling, because those receipts hold
 * fractions.
 */
import { type JsonLexeme, JsonNumber } from "../kernel/json.ts";

export { type JsonLexeme, type JsonLexemeObject, JsonNumber, parseJsonLexemes } from "../kernel/json.ts";

/** Writes a document in the legacy canonical form: null members are left out, the result is ASCII. */
export function canonicalizeLegacy(value: JsonLexeme): string {
  if (value === null || typeof value === "boolean") return String(value);
  if (value instanceof JsonNumber) return value.lexeme;
  if (typeof value === "string") return writeAscii(value);
  if (Array.isArray(value)) return `[${value.map(canonicalizeLegacy).join(",")}]`;
  const members = Object.keys(value)
    .sort(compareCodePoints)
    .flatMap((name) => {
      const member = value[name];
      return member === null || member === undefined
        ? []
        : [`${writeAscii(name)}:${canonicalizeLegacy(member)}`];
    });
  return `{${members.join(",")}}`;
}

/** A JSON string whose units outside 0x20–0x7E are escaped as `\uXXXX`. */
function writeAscii(text: string): string {
  return JSON.stringify(text).replace(
    /[^\x20-\x7e]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

/** Python sorts by code points, where a character past U+FFFF comes after U+E000–U+FFFF. */
function compareCodePoints(a: string, b: string): number {
  const left = Array.from(a, (character) => character.codePointAt(0) ?? 0);
  const right = Array.from(b, (character) => character.codePointAt(0) ?? 0);
  for (let index = 0; index < Math.min(left.length, right.length); index++) {
    const difference = (left[index] ?? 0) - (right[index] ?? 0);
    if (difference !== 0) return difference;
  }
  return left.length - right.length;
}
