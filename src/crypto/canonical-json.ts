/**
 * Canonical JSON: one text for one value, so that two programs sign and hash the same bytes.
 *
 * `canonicalize` is RFC 8785 (JCS) for any JSON value. `canonicalizeSigned` is the same with what a signed
 * document may hold: with those limits every JSON library that sorts members writes the same bytes.
 */
import { AppError } from "../kernel/errors.ts";
import { type JsonLimits, type JsonValue, parseJson, toJsonPointer } from "../kernel/json.ts";

/** The strict parser, for documents that are canonicalised after they were read. */
export { parseJson as parseStrictJson } from "../kernel/json.ts";

type Path = readonly (string | number)[];

/** A value that is about to be written: undefined members are left out, as JSON.stringify does. */
export type Canonicalizable =
  | null
  | undefined
  | boolean
  | number
  | string
  | readonly Canonicalizable[]
  | { readonly [name: string]: Canonicalizable };

function refuse(problem: string, path: Path): never {
  const pointer = toJsonPointer(path);
  throw new AppError("INVALID_PAYLOAD", `${problem}, at ${pointer === "" ? "the top" : pointer}`, {
    meta: { pointer },
  });
}

/** What differs between the two forms. */
interface Form {
  readonly writeString: (text: string, path: Path) => string;
  readonly writeNumber: (number: number, path: Path) => string;
  readonly dropsNull: boolean;
}

const JCS: Form = {
  writeString(text, path) {
    if (!text.isWellFormed()) refuse("lone surrogate in a string", path);
    // JSON.stringify escapes exactly as RFC 8785 §3.2.2.2 asks.
    return JSON.stringify(text);
  },
  writeNumber(number, path) {
    if (!Number.isFinite(number)) refuse("a number that JSON cannot write", path);
    // RFC 8785 §3.2.2.3 takes over ECMAScript's Number::toString, where -0 is "0".
    return String(number);
  },
  dropsNull: false,
};

const PRINTABLE = /^[\x20-\x7e]*$/;
const NEEDS_ESCAPE = /["\\]/;

const SIGNED: Form = {
  writeString(text, path) {
    if (!PRINTABLE.test(text)) refuse("a signed text holds only the characters 0x20 to 0x7E", path);
    return NEEDS_ESCAPE.test(text) ? JSON.stringify(text) : `"${text}"`;
  },
  writeNumber(number, path) {
    if (!Number.isSafeInteger(number)) refuse("a signed number is a whole number within ±(2^53−1)", path);
    return String(number);
  },
  dropsNull: true,
};

/** Writes a JSON value after RFC 8785. Throws INVALID_PAYLOAD, with a pointer, for what JSON cannot hold. */
export function canonicalize(value: Canonicalizable): string {
  return write(JCS, value, []);
}

/**
 * Writes a document that is to be signed: texts of the characters 0x20–0x7E, booleans, whole numbers within
 * ±(2^53−1), arrays and objects; members that are null are left out. The result is ASCII. Throws
 * INVALID_PAYLOAD, with a pointer, for anything else.
 */
export function canonicalizeSigned(value: Canonicalizable): string {
  return write(SIGNED, value, []);
}

/**
 * Reads a signed document whose text must be its own canonical form, byte for byte. Throws as `parseJson`
 * does, and INVALID_PAYLOAD where the text is another spelling.
 */
export function parseCanonical(text: string, limits?: JsonLimits): JsonValue {
  const value = parseJson(text, limits);
  if (canonicalizeSigned(value) !== text) refuse("the text is not in canonical form", []);
  return value;
}

function write(form: Form, value: Canonicalizable, path: (string | number)[]): string {
  if (typeof value === "string") return form.writeString(value, path);
  if (typeof value === "number") return form.writeNumber(value, path);
  if (value === true) return "true";
  if (value === false) return "false";
  if (value === null && !form.dropsNull) return "null";
  if (Array.isArray(value)) return writeArray(form, value, path);
  if (typeof value === "object" && value !== null && isPlain(value)) return writeObject(form, value, path);
  return refuse(`${value === null ? "null" : typeof value} has no canonical form here`, path);
}

function writeArray(form: Form, values: readonly Canonicalizable[], path: (string | number)[]): string {
  let text = "[";
  for (let index = 0; index < values.length; index++) {
    path.push(index);
    text += (index === 0 ? "" : ",") + write(form, values[index], path);
    path.pop();
  }
  return `${text}]`;
}

function writeObject(
  form: Form,
  members: { readonly [name: string]: Canonicalizable },
  path: (string | number)[],
): string {
  let text = "{";
  // Without an argument, sort compares UTF-16 units, as RFC 8785 §3.2.3 asks.
  for (const name of Object.keys(members).sort()) {
    const value = members[name];
    if (value === undefined || (value === null && form.dropsNull)) continue;
    path.push(name);
    text += `${text.length === 1 ? "" : ","}${form.writeString(name, path)}:${write(form, value, path)}`;
    path.pop();
  }
  return `${text}}`;
}

/** Whether an object is a plain one: a Date or a Map would lose what it means. */
function isPlain(value: object): value is { readonly [name: string]: Canonicalizable } {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}
