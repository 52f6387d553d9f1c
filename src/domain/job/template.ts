import { AppError } from "../../kernel/errors.ts";

/** A place to fill in: `{{name}}`, with spaces inside if one likes. */
const PLACE = /\{\{\s*([A-Za-z_][A-Za-z0-9_]{0,63})\s*\}\}/g;

/** The variables of texts, each once, in the order of their first appearance. */
export function templateVariables(texts: readonly string[]): string[] {
  const names = texts.flatMap((text) => [...text.matchAll(PLACE)].map(([, name]) => name ?? ""));
  return [...new Set(names)];
}

/**
 * Fills the places of texts in, each with its variable's value as it is: what looks like a place in a value stays.
 * Texts may grow to `maxCharacters` together.
 * @throws AppError INVALID_PAYLOAD for a variable without a value, a value without a variable, or too long texts
 */
export function fillTemplate(
  texts: readonly string[],
  values: Readonly<Record<string, string>>,
  maxCharacters: number,
): string[] {
  const names = templateVariables(texts);
  const missing = names.find((name) => !Object.hasOwn(values, name));
  if (missing !== undefined) throw invalid(missing, "the template needs a value for this variable");
  const unknown = Object.keys(values).find((name) => !names.includes(name));
  if (unknown !== undefined) {
    const known = names.length === 0 ? "it has none" : `it has ${names.join(", ")}`;
    throw invalid(unknown, `the template has no such variable; ${known}`);
  }
  let characters = 0;
  for (const text of texts) {
    characters += text.length;
    for (const [place, name = ""] of text.matchAll(PLACE)) {
      characters += (values[name]?.length ?? 0) - place.length;
    }
  }
  if (characters > maxCharacters) {
    throw new AppError("PAYLOAD_TOO_LARGE", `the filled texts are longer than ${maxCharacters} characters`);
  }
  return texts.map((text) => text.replaceAll(PLACE, (_place, name: string) => values[name] ?? ""));
}

function invalid(name: string, why: string): AppError {
  const pointer = `/variables/${name}`;
  return new AppError("INVALID_PAYLOAD", `${pointer}: ${why}`, { meta: { pointer } });
}
