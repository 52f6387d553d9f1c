import { type Canonicalizable, canonicalize } from "../../crypto/canonical-json.ts";
import { sha256Hex } from "../../crypto/hash.ts";
import type { Answer } from "./store/answers.ts";

/** Members under which miners hand in the text of an answer; the first that is a text counts. */
const TEXT_MEMBERS = ["text", "output", "response"] as const;

/**
 * Reads a result that is any JSON. Its text is what clients stream and what is metered: the result itself, the
 * text in it, or else its canonical JSON. The document is kept as it came.
 */
export function readAnswer(result: unknown): { readonly text: string; readonly answer: Answer } {
  // The request's parser has made sure that it is JSON without lone surrogates.
  const canonical = canonicalize(result as Canonicalizable);
  return {
    text: findText(result) ?? canonical,
    answer: { sha256: sha256Hex(canonical), document: JSON.stringify(result) },
  };
}

function findText(result: unknown): string | undefined {
  if (typeof result === "string") return result;
  if (typeof result !== "object" || result === null) return undefined;
  const members = result as Readonly<Record<string, unknown>>;
  for (const name of TEXT_MEMBERS) {
    const value = Object.hasOwn(members, name) ? members[name] : undefined;
    if (typeof value === "string") return value;
  }
  return undefined;
}

/** The artifact that a result names: its one member besides texts is `artifact`, `sha256:…`. */
export function readReference(result: unknown): string | undefined {
  if (typeof result !== "object" || result === null || !Object.hasOwn(result, "artifact")) return undefined;
  const { artifact } = result as { readonly artifact: unknown };
  return typeof artifact === "string" && artifact.startsWith("sha256:") ? artifact : undefined;
}
