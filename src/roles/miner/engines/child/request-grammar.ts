import { AppError } from "../../../../kernel/errors.ts";
import type { EngineRequest } from "../engine.ts";
import { JsonGrammar } from "./json-grammar.ts";
import { callGrammar, forcedTools } from "./tool-calls.ts";

/**
 * The grammar (GBNF) of the answers that a request allows; undefined where any text is one.
 * @throws AppError UNSUPPORTED_FEATURE or INVALID_PAYLOAD, naming the member or a schema's keyword
 */
export function grammarOf(request: EngineRequest): string | undefined {
  const { format, tools = [], tool_choice: choice = "auto" } = request;
  if (tools.length > 0 && choice === "auto") {
    throw new AppError(
      "UNSUPPORTED_FEATURE",
      "the engine cannot leave it to the model whether it calls a tool; set tool_choice to required or to a tool's name",
      { meta: { member: "tool_choice" } },
    );
  }
  const forced = forcedTools(request);
  if (forced) {
    ensure("tools", request.messages !== undefined, "go with messages: a raw prompt has no place for them");
    ensure("format", format === undefined, "cannot go with a call: the tool's parameters say what it is");
    ensure("tool_choice", forced.length > 0, "names no tool of tools");
    return callGrammar(forced);
  }
  if (format === undefined) return undefined;
  const grammar = new JsonGrammar();
  return grammar.text(format.type === "json" ? "object" : grammar.schema(format.schema));
}

function ensure(member: keyof EngineRequest, holds: boolean, what: string): void {
  if (!holds) throw new AppError("INVALID_PAYLOAD", `${member}: ${what}`, { meta: { member } });
}
