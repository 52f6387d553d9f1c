/** A line of a streamed answer. */
export type WholeLine = Readonly<Record<string, unknown>> | object;

/** The members that add up over an answer, in a message or beside it. */
const TEXTS = ["content", "response", "thinking"] as const;

/** Joins the lines of an answer into the one that a call without a stream gets. */
export function joinLines(lines: readonly WholeLine[]): object {
  return lines.reduce<object>((all, line) => join(all, line), {});
}

function join(all: object, line: object): object {
  const joined: Record<string, unknown> = { ...all };
  for (const [name, value] of Object.entries(line)) {
    const before = joined[name];
    if (TEXTS.some((text) => text === name)) joined[name] = `${before ?? ""}${value}`;
    else if (name === "logprobs" && Array.isArray(before) && Array.isArray(value)) {
      joined[name] = [...before, ...value];
    } else if ((name === "message" || name === "aitbc") && isObject(before) && isObject(value)) {
      joined[name] = join(before, value);
    } else joined[name] = value;
  }
  return joined;
}

const isObject = (value: unknown): value is object => typeof value === "object" && value !== null;
