/** JSON values, and pointers into them. */

export type JsonValue = null | boolean | number | string | JsonArray | JsonObject;
export type JsonArray = JsonValue[];
export interface JsonObject {
  [name: string]: JsonValue;
}

/** A number as it was written, for documents whose signature covers its spelling (`1.0`, `1e3`). */
export class JsonNumber {
  readonly lexeme: string;
  constructor(lexeme: string) {
    this.lexeme = lexeme;
  }
}

export type JsonLexeme = null | boolean | JsonNumber | string | JsonLexeme[] | JsonLexemeObject;
export interface JsonLexemeObject {
  [name: string]: JsonLexeme;
}

/** Characters of a pointer that an error shows: enough to find the member, and a bound on what is echoed. */
const MAX_POINTER = 256;

/** Writes the path to a member as a JSON pointer (RFC 6901 §3), shortened past MAX_POINTER characters. */
export function toJsonPointer(path: readonly (string | number)[]): string {
  let pointer = "";
  for (const step of path) {
    pointer += `/${String(step).slice(0, MAX_POINTER).replaceAll("~", "~0").replaceAll("/", "~1")}`;
    if (pointer.length > MAX_POINTER) return `${pointer.slice(0, MAX_POINTER).toWellFormed()}…`;
  }
  return pointer.toWellFormed();
}
