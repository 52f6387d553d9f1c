import { randomBytes } from "node:crypto";
import type { AnswerDelta } from "../../../../domain/job/deltas.ts";
import type { EngineMessage, EngineRequest, EngineTool } from "../engine.ts";
import { JsonGrammar, literal } from "./json-grammar.ts";

const ID_BYTES = 12;

/** The tools of which one must be called; undefined where no call is forced. */
export function forcedTools({
  tools = [],
  tool_choice: choice,
}: EngineRequest): readonly EngineTool[] | undefined {
  if (tools.length === 0) return undefined;
  if (choice === "required") return tools;
  return typeof choice === "object" ? tools.filter(({ name }) => name === choice.name) : undefined;
}

/** Everything before the arguments, which the model writes of its own. */
const opening = (name: string): string => `{"name":${JSON.stringify(name)},"arguments":`;
const CLOSING = "}";
const OPENING = /^\{"name":("(?:[^"\\]|\\.)*"),"arguments":/;

/** The grammar of one call of one of these tools. @throws AppError INVALID_PAYLOAD, naming a schema's keyword */
export function callGrammar(tools: readonly EngineTool[]): string {
  const grammar = new JsonGrammar();
  const calls = tools.map(({ name, parameters }) => {
    const takesAny = parameters === undefined || Object.keys(parameters).length === 0;
    const values = takesAny ? "object" : grammar.schema(parameters);
    return `${literal(opening(name))} ${values} ${literal(CLOSING)}`;
  });
  return grammar.text(calls.join(" | "));
}

/** The conversation with the tools told in the system's words, which every chat template can say. */
export function tellTools(
  messages: readonly EngineMessage[],
  tools: readonly EngineTool[],
): readonly EngineMessage[] {
  if (tools.length === 0) return messages;
  const list = tools.map((tool) => JSON.stringify(tool)).join("\n");
  const told = `Call one of these tools. Answer with ${opening("its name")}{…}${CLOSING} only.\n${list}`;
  const [first, ...rest] = messages;
  if (first?.role !== "system") return [{ role: "system", content: told }, ...messages];
  return [{ ...first, content: `${first.content}\n\n${told}` }, ...rest];
}

/** Reads a call from its text as it comes, and tells it on in parts. */
export class CallReader {
  #text = "";
  /** Where the arguments begin. */
  #start: number | undefined;
  #told = 0;

  /** Takes text; gives what it adds to the call. */
  push(text: string): AnswerDelta[] {
    this.#text += text;
    const deltas: AnswerDelta[] = [];
    if (this.#start === undefined) {
      const found = OPENING.exec(this.#text);
      if (!found) return [];
      this.#start = found[0].length;
      this.#told = this.#start;
      const name: unknown = JSON.parse(found[1] ?? '""');
      const id = `call_${randomBytes(ID_BYTES).toString("hex")}`;
      deltas.push({ tool_call: { index: 0, id, name: String(name) } });
    }
    // The last character could be the end of the call and no part of its arguments.
    return [...deltas, ...this.#tell(this.#text.length - CLOSING.length)];
  }

  /** The model has ended; gives the rest, and whether the call is whole. */
  end(): { readonly deltas: AnswerDelta[]; readonly whole: boolean } {
    const whole = this.#start !== undefined && isJson(this.#text);
    const end = whole ? this.#text.length - CLOSING.length : this.#text.length;
    return { deltas: this.#start === undefined ? [] : this.#tell(end), whole };
  }

  #tell(end: number): AnswerDelta[] {
    if (end <= this.#told) return [];
    const part = this.#text.slice(this.#told, end);
    this.#told = end;
    return [{ tool_call: { index: 0, arguments: part } }];
  }
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
