import { z } from "zod";
import { Config } from "./schema.ts";

/** The part of a JSON Schema (draft 2020-12) that the configuration uses. */
interface Node {
  readonly type?: string;
  readonly format?: string;
  readonly description?: string;
  readonly default?: unknown;
  readonly properties?: Readonly<Record<string, Node>>;
  readonly items?: Node;
  readonly anyOf?: readonly Node[];
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly exclusiveMinimum?: number;
  readonly secret?: boolean;
  readonly path?: boolean;
}

/** One setting: a leaf of the configuration's tree. */
export interface ConfigKey {
  /** Dotted, as `http.port`. */
  readonly key: string;
  readonly description: string;
  /** What a value must be, in words that follow "must be". */
  readonly allowed: string;
  readonly secret: boolean;
  readonly isPath: boolean;
  /** undefined where the default comes from the environment or there is none. */
  readonly defaultValue: unknown;
  /** Reads a value written as text, on the command line or in the environment. Text that does not fit stays text. */
  readonly fromText: (text: string, parseJson: (text: string) => unknown) => unknown;
}

/** Whole numbers beyond this are a limit of JSON, not of the setting. */
const LARGEST_TOLD_BOUND = Number.MAX_SAFE_INTEGER;

function describeNumber(node: Node): string {
  const noun = node.type === "integer" ? "a whole number" : "a number";
  const low = node.minimum !== undefined && node.minimum > -LARGEST_TOLD_BOUND ? node.minimum : undefined;
  const high = node.maximum !== undefined && node.maximum < LARGEST_TOLD_BOUND ? node.maximum : undefined;
  if (node.exclusiveMinimum !== undefined) {
    return `${noun} above ${node.exclusiveMinimum}${high === undefined ? "" : ` and up to ${high}`}`;
  }
  if (low !== undefined && high !== undefined) return `${noun} from ${low} to ${high}`;
  if (low !== undefined) return `${noun} of at least ${low}`;
  return high === undefined ? noun : `${noun} of at most ${high}`;
}

function describe(node: Node): string {
  if (node.anyOf) return node.anyOf.map(describe).join(" or ");
  if (node.enum) return `one of ${node.enum.join(", ")}`;
  if (node.const !== undefined) return JSON.stringify(node.const);
  switch (node.type) {
    case "integer":
    case "number":
      return describeNumber(node);
    case "boolean":
      return "true or false";
    case "array":
      return node.items?.enum
        ? `a list of: ${node.items.enum.join(", ")}`
        : `a list${node.items?.type === "string" ? " of texts" : ""}`;
    case "string":
      return node.format === "uri" ? "an http:// or https:// URL" : "a text";
    case "null":
      return "null";
    default:
      return "an object";
  }
}

function typesOf(node: Node): ReadonlySet<string | undefined> {
  return new Set(node.anyOf ? node.anyOf.flatMap((part) => [...typesOf(part)]) : [node.type]);
}

const NUMBER = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?$/i;
const BOOLEANS: ReadonlyMap<string, boolean> = new Map([
  ["true", true],
  ["1", true],
  ["false", false],
  ["0", false],
]);

function fromText(node: Node, text: string, parseJson: (text: string) => unknown): unknown {
  const types = typesOf(node);
  const trimmed = text.trim();
  if (types.has("null") && trimmed === "null") return null;
  if ((types.has("integer") || types.has("number")) && NUMBER.test(trimmed)) return Number(trimmed);
  if (types.has("boolean") && BOOLEANS.has(trimmed)) return BOOLEANS.get(trimmed);
  if (types.has("array") && !trimmed.startsWith("[")) {
    const parts = trimmed.split(",").flatMap((part) => part.trim() || []);
    return parts.map((part) => (node.items ? fromText(node.items, part, parseJson) : part));
  }
  if ((types.has("array") || types.has("object")) && /^[[{]/.test(trimmed)) return parseJson(trimmed);
  return text;
}

function collect(node: Node, path: readonly string[]): ConfigKey[] {
  if (node.properties && node.type === "object") {
    return Object.entries(node.properties).flatMap(([name, child]) => collect(child, [...path, name]));
  }
  return [
    {
      key: path.join("."),
      description: node.description ?? "",
      allowed: describe(node),
      secret: node.secret === true,
      isPath: node.path === true,
      defaultValue: node.default,
      fromText: (text, parseJson) => fromText(node, text, parseJson),
    },
  ];
}

let keys: ReadonlyMap<string, ConfigKey> | undefined;

/** Every setting by its dotted key, in the order of the schema. */
export function configKeys(): ReadonlyMap<string, ConfigKey> {
  if (!keys) {
    // zod's JSON Schema carries the metadata of each member; the cast names the part of it that is used here.
    const root = z.toJSONSchema(Config, { io: "input", unrepresentable: "any", reused: "inline" }) as Node;
    keys = new Map(collect(root, []).map((entry) => [entry.key, entry]));
  }
  return keys;
}
