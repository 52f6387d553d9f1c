import { AppError } from "../../../../kernel/errors.ts";

type Schema = Readonly<Record<string, unknown>>;

/** Rules of one grammar: llama.cpp looks at all of them for each token. */
const MAX_RULES = 4096;
/** How deep a schema may nest; the grammar's own stack grows with it. */
const MAX_DEPTH = 64;
/** Longest repetition that is written out: llama.cpp makes one rule of each step. */
const MAX_REPEAT = 512;
/** Whole numbers of so many digits are exact in every JSON parser. */
const SAFE_DIGITS = 15;
const SAFE_LIMIT = 10 ** SAFE_DIGITS - 1;
/** Above every number of the rule `number`. */
const NUMBER_LIMIT = 1e115;

/** Keywords that say nothing about which values are valid. */
const ANNOTATIONS: ReadonlySet<string> = new Set([
  "title",
  "description",
  "default",
  "examples",
  "deprecated",
  "readOnly",
  "writeOnly",
  "$schema",
  "$id",
  "$comment",
  "$defs",
  "definitions",
]);

const TYPE_KEYWORDS: Readonly<Record<string, readonly string[]>> = {
  object: ["properties", "required", "additionalProperties"],
  array: ["items", "minItems", "maxItems"],
  string: ["minLength", "maxLength", "format"],
  number: ["minimum", "maximum"],
  integer: ["minimum", "maximum"],
  boolean: [],
  null: [],
};

const DATE = '[0-9]{4} "-" ("0" [1-9] | "1" [0-2]) "-" ("0" [1-9] | "1" [0-9] | "2" [0-8])';
const TIME = '([01] [0-9] | "2" [0-3]) ":" [0-5] [0-9] ":" [0-5] [0-9] ("." [0-9]{3})? "Z"';
const FORMATS: ReadonlyMap<unknown, string> = new Map([
  ["date", DATE],
  ["time", TIME],
  ["date-time", `${DATE} "T" ${TIME}`],
  ["uuid", '[0-9a-f]{8} "-" [0-9a-f]{4} "-" [0-9a-f]{4} "-" [0-9a-f]{4} "-" [0-9a-f]{12}'],
]);

/** Rules that any grammar may name. Space is kept short: small models would write nothing else. */
const COMMON: ReadonlyMap<string, string> = new Map([
  ["ws", '" "?'],
  ["char", String.raw`[^"\\\x7F\x00-\x1F] | "\\" ["\\/bfnrt]`],
  ["string", String.raw`"\"" char* "\""`],
  ["integer", `"-"? ("0" | [1-9] [0-9]{0,${SAFE_DIGITS - 1}})`],
  ["natural", `"0" | [1-9] [0-9]{0,${SAFE_DIGITS - 1}}`],
  ["number", `integer ("." [0-9]{1,${SAFE_DIGITS}})? ([eE] [-+]? [0-9]{1,2})?`],
  ["positive", `natural ("." [0-9]{1,${SAFE_DIGITS}})? ([eE] [-+]? [0-9]{1,2})?`],
  ["boolean", '"true" | "false"'],
  ["null", '"null"'],
  ["value", "object | array | string | number | boolean | null"],
  ["member", 'string ":" ws value'],
  ["object", '"{" (member ("," ws member)*)? "}"'],
  ["array", '"[" (value ("," ws value)*)? "]"'],
]);

/**
 * Writes grammars in GBNF (llama.cpp, grammars/README.md) whose texts are valid under JSON Schemas (2020-12). Not
 * every valid text is in the grammar: members come in the schema's order, and those it does not name are left out.
 */
export class JsonGrammar {
  readonly #rules = new Map<string, string>();
  readonly #refs = new Map<string, string>();

  /** The grammar whose texts `root` describes. */
  text(root: string): string {
    const rules = [["root", root], ...COMMON, ...this.#rules];
    return rules.map(([name, body]) => `${name} ::= ${body}\n`).join("");
  }

  /**
   * An expression for the texts that are valid under a schema.
   * @throws AppError INVALID_PAYLOAD, naming the keyword, for what a grammar cannot promise
   */
  schema(schema: unknown): string {
    // Pointers of one schema mean something else in another.
    this.#refs.clear();
    return this.#schema(schema, schema, 0);
  }

  #schema(schema: unknown, root: unknown, depth: number): string {
    if (depth > MAX_DEPTH) throw refused("$ref", `schemas nest at most ${MAX_DEPTH} deep`);
    if (schema === true) return "value";
    if (schema === false) throw refused("false", "the schema false allows nothing");
    if (!isSchema(schema)) throw refused("schema", "a schema is an object");
    if ("$ref" in schema) return this.#reference(schema, root, depth);
    for (const keyword of ["const", "enum"] as const) {
      if (keyword in schema) return constants(schema, keyword);
    }
    for (const keyword of ["anyOf", "oneOf", "allOf"] as const) {
      if (keyword in schema) return this.#combined(schema, keyword, root, depth);
    }
    const types = typesOf(schema);
    if (types.length === 0) {
      allow(schema, []);
      return "value";
    }
    allow(schema, ["type", ...types.flatMap((type) => TYPE_KEYWORDS[type] ?? [])]);
    return group(types.map((type) => this.#typed(type, schema, root, depth)));
  }

  #typed(type: string, schema: Schema, root: unknown, depth: number): string {
    switch (type) {
      case "object":
        return this.#object(schema, root, depth);
      case "array":
        return this.#array(schema, root, depth);
      case "string":
        return stringOf(schema);
      case "number":
      case "integer":
        return numberOf(type, schema);
      default:
        return type;
    }
  }

  #reference(schema: Schema, root: unknown, depth: number): string {
    allow(schema, ["$ref"]);
    const { $ref: pointer } = schema;
    if (typeof pointer !== "string") throw refused("$ref", "must be a text");
    const known = this.#refs.get(pointer);
    if (known !== undefined) return known;
    // Named before it is written: a schema may speak of itself.
    const name = this.#name();
    this.#refs.set(pointer, name);
    this.#rules.set(name, this.#schema(resolve(pointer, root), root, depth + 1));
    return name;
  }

  #combined(schema: Schema, keyword: "anyOf" | "oneOf" | "allOf", root: unknown, depth: number): string {
    allow(schema, [keyword]);
    const list: unknown = schema[keyword];
    if (!Array.isArray(list) || list.length === 0) throw refused(keyword, "must be a list with members");
    if (keyword === "allOf" && list.length > 1) throw refused(keyword, "more than one schema at once");
    if (keyword === "oneOf" && !areDistinct(list)) {
      throw refused(keyword, "its schemas must differ in type or in a required constant; or use anyOf");
    }
    return group(list.map((part: unknown) => this.#schema(part, root, depth + 1)));
  }

  #object(schema: Schema, root: unknown, depth: number): string {
    const { properties = {}, required = [], additionalProperties = true } = schema;
    if (!isSchema(properties)) throw refused("properties", "must be an object");
    if (!Array.isArray(required)) throw refused("required", "must be a list");
    const names = [...new Set([...Object.keys(properties), ...required.map(String)])];
    if (names.length === 0) return this.#map(additionalProperties, root, depth);
    const members = names.map((name) => {
      const isNamed = Object.hasOwn(properties, name);
      if (!isNamed && additionalProperties === false) throw refused("required", `${name} is not allowed`);
      const value = this.#schema(isNamed ? properties[name] : additionalProperties, root, depth + 1);
      return { text: `${literal(JSON.stringify(name))} ":" ws ${value}`, required: required.includes(name) };
    });
    return `"{" ${this.#members(members)} "}"`;
  }

  /** Members in their order, with a comma between two; those that are not required may be missing. */
  #members(members: readonly { readonly text: string; readonly required: boolean }[]): string {
    const mostFirst = members.findIndex(({ required }) => required);
    /** What can follow behind a member, and where none stands yet. */
    let after = "";
    let first = "";
    for (let at = members.length - 1; at >= 0; at--) {
      const { text, required } = members[at] ?? { text: "", required: false };
      const rest = after;
      if (mostFirst === -1 || at <= mostFirst) {
        const begun = `${text} ${rest}`;
        if (required) first = begun;
        else first = first === "" ? `(${begun})?` : `(${begun} | ${this.#rule(first)})`;
      }
      after = this.#rule(required ? `"," ws ${text} ${rest}` : `("," ws ${text})? ${rest}`);
    }
    return first;
  }

  #map(additional: unknown, root: unknown, depth: number): string {
    if (additional === false) return '"{}"';
    if (additional === true) return "object";
    const member = this.#rule(`string ":" ws ${this.#schema(additional, root, depth + 1)}`);
    return `"{" (${member} ("," ws ${member})*)? "}"`;
  }

  #array(schema: Schema, root: unknown, depth: number): string {
    const { items = true } = schema;
    const [min, max] = bounds(schema, "minItems", "maxItems");
    if (max === 0) return '"[]"';
    const item = this.#rule(this.#schema(items, root, depth + 1));
    const rest = repeat(`("," ws ${item})`, Math.max(0, min - 1), max === undefined ? undefined : max - 1);
    return min > 0 ? `"[" ${item} ${rest} "]"` : `"[" (${item} ${rest})? "]"`;
  }

  #rule(body: string): string {
    const name = this.#name();
    this.#rules.set(name, body === "" ? '""' : body);
    return name;
  }

  #name(): string {
    if (this.#rules.size >= MAX_RULES) throw refused("schema", `makes more than ${MAX_RULES} rules`);
    const name = `r${this.#rules.size}`;
    this.#rules.set(name, '""');
    return name;
  }
}

/** A text as it stands. */
export function literal(text: string): string {
  return `"${text.replaceAll("\\", "\\\\").replaceAll('"', '\\"')}"`;
}

const group = (options: readonly string[]): string =>
  options.length === 1 ? String(options[0]) : `(${options.join(" | ")})`;

function constants(schema: Schema, keyword: "const" | "enum"): string {
  allow(schema, [keyword, "type"]);
  const list: unknown = keyword === "const" ? [schema["const"]] : schema["enum"];
  if (!Array.isArray(list)) throw refused("enum", "must be a list");
  const types = typesOf(schema);
  const values = list.filter(
    (value: unknown) => types.length === 0 || types.some((type) => isOf(type, value)),
  );
  if (values.length === 0) throw refused(keyword, "allows nothing");
  return group(values.map((value: unknown) => literal(JSON.stringify(value))));
}

function stringOf(schema: Schema): string {
  const { format } = schema;
  const [min, max] = bounds(schema, "minLength", "maxLength");
  if (format === undefined) {
    return min === 0 && max === undefined ? "string" : `"\\"" ${repeat("char", min, max)} "\\""`;
  }
  const pattern = FORMATS.get(format);
  if (pattern === undefined) throw refused("format", `${JSON.stringify(format)} is not known`);
  if (min > 0 || max !== undefined) throw refused("format", "cannot go with a length");
  return `"\\"" ${pattern} "\\""`;
}

function numberOf(type: "number" | "integer", { minimum, maximum }: Schema): string {
  const largest = type === "integer" ? SAFE_LIMIT : NUMBER_LIMIT;
  if (maximum !== undefined && !(typeof maximum === "number" && maximum >= largest)) {
    throw refused("maximum", "a grammar cannot compare numbers");
  }
  if (minimum === undefined || (typeof minimum === "number" && minimum <= -largest)) return type;
  if (minimum !== 0) throw refused("minimum", "a grammar cannot compare numbers; only 0 is understood");
  return type === "integer" ? "natural" : "positive";
}

/** A range of lengths. The upper end is lowered to what a grammar holds: a shorter text is as valid. */
function bounds(schema: Schema, low: string, high: string): [number, number | undefined] {
  const read = (keyword: string): number | undefined => {
    const value = schema[keyword];
    if (value === undefined) return undefined;
    if (typeof value === "number" && Number.isSafeInteger(value) && value >= 0) return value;
    throw refused(keyword, "must be a whole number of at least 0");
  };
  const min = read(low) ?? 0;
  const max = read(high);
  if (min > MAX_REPEAT) throw refused(low, `must be at most ${MAX_REPEAT}`);
  if (max !== undefined && max < min) throw refused(high, `must be at least ${low}`);
  return [min, max === undefined ? undefined : Math.min(max, MAX_REPEAT)];
}

function repeat(what: string, min: number, max: number | undefined): string {
  if (max === undefined) return min === 0 ? `${what}*` : `${what}{${min},}`;
  return max === 0 ? "" : `${what}{${min},${max}}`;
}

/** The types that a schema allows, from its type or else from its keywords; none means any. */
function typesOf(schema: Schema): string[] {
  const { type } = schema;
  if (type === undefined) {
    const hinted = ["object", "array", "string"].filter((name) =>
      TYPE_KEYWORDS[name]?.some((keyword) => keyword in schema),
    );
    return hinted.slice(0, 1);
  }
  const types = (Array.isArray(type) ? type : [type]).map(String);
  const unknown = types.find((name) => !Object.hasOwn(TYPE_KEYWORDS, name));
  if (unknown !== undefined || types.length === 0) throw refused("type", `${unknown ?? "none"} is not known`);
  return types;
}

function isOf(type: string, value: unknown): boolean {
  if (type === "null") return value === null;
  if (type === "array") return Array.isArray(value);
  if (type === "integer") return Number.isInteger(value);
  if (type === "object") return isSchema(value);
  return typeof value === type;
}

/** Whether no value fits two of the schemas. */
function areDistinct(list: readonly unknown[]): boolean {
  return list.every((a, index) => list.slice(index + 1).every((b) => areApart(a, b)));
}

function areApart(a: unknown, b: unknown): boolean {
  if (!isSchema(a) || !isSchema(b)) return false;
  const [kinds, others] = [kindsOf(a), kindsOf(b)];
  if (kinds.size > 0 && others.size > 0 && !kinds.values().some((kind) => others.has(kind))) return true;
  const [left, right] = [a["properties"], b["properties"]];
  if (!isSchema(left) || !isSchema(right)) return false;
  return Object.keys(left).some(
    (name) => isRequired(a, name) && isRequired(b, name) && differ(left[name], right[name]),
  );
}

const isRequired = ({ required }: Schema, name: string): boolean =>
  Array.isArray(required) && required.includes(name);

/** The JSON types of values; a whole number is a number too. */
function kindsOf(schema: Schema): ReadonlySet<string> {
  return new Set(typesOf(schema).map((type) => (type === "integer" ? "number" : type)));
}

function differ(a: unknown, b: unknown): boolean {
  const [left, right] = [constantsOf(a), constantsOf(b)];
  return left !== undefined && right !== undefined && !left.some((value) => right.includes(value));
}

function constantsOf(schema: unknown): string[] | undefined {
  if (!isSchema(schema)) return undefined;
  const { enum: list } = schema;
  if ("const" in schema) return [JSON.stringify(schema["const"])];
  return Array.isArray(list) ? list.map((value) => JSON.stringify(value)) : undefined;
}

/** Finds what a JSON pointer (RFC 6901) in a `$ref` names. */
function resolve(pointer: string, root: unknown): unknown {
  if (!/^#(\/|$)/.test(pointer)) throw refused("$ref", `${pointer} lies outside the schema`);
  let at: unknown = root;
  for (const part of pointer.split("/").slice(1)) {
    const name = part.replaceAll("~1", "/").replaceAll("~0", "~");
    if (!isSchema(at) || !Object.hasOwn(at, name)) throw refused("$ref", `${pointer} is not there`);
    at = at[name];
  }
  return at;
}

function isSchema(value: unknown): value is Schema {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Refuses a keyword that is not among these and means something. */
function allow(schema: Schema, keywords: readonly string[]): void {
  for (const keyword of Object.keys(schema)) {
    if (!ANNOTATIONS.has(keyword) && !keywords.includes(keyword)) {
      throw refused(keyword, "is not supported here");
    }
  }
}

function refused(keyword: string, what: string): AppError {
  return new AppError("INVALID_PAYLOAD", `the JSON Schema cannot be used: ${keyword}: ${what}`, {
    meta: { keyword },
  });
}
