import type { ChatHistoryItem, ChatWrapper, LlamaModel, LlamaText, Token } from "node-llama-cpp";
import { AppError } from "../../../../kernel/errors.ts";
import type { EngineMessage, EngineRequest } from "../engine.ts";
import { forcedTools, tellTools } from "./tool-calls.ts";

/** What the model reads before the answer, and what ends that. */
export interface Prompt {
  readonly tokens: Token[];
  /** Ends of a turn that the chat template knows, besides the model's own end tokens. */
  readonly stops: readonly string[];
  readonly stopTokens: ReadonlySet<Token>;
}

/**
 * Turns a request into the tokens that stand before its answer. Text from outside never becomes a control token.
 * @throws AppError UNSUPPORTED_FEATURE for images and answers of tools
 */
export function buildPrompt(model: LlamaModel, chatWrapper: ChatWrapper, request: EngineRequest): Prompt {
  const prompt =
    request.messages === undefined
      ? completion(model, request.prompt ?? "")
      : chat(model, chatWrapper, tellTools(request.messages, forcedTools(request) ?? []));
  const bos = model.tokens.bos;
  const needsBos = model.tokens.shouldPrependBosToken && bos !== null && prompt.tokens[0] !== bos;
  return { ...prompt, tokens: [...(needsBos ? [bos] : []), ...prompt.tokens] };
}

function completion(model: LlamaModel, text: string): Prompt {
  return { tokens: model.tokenize(text, false), stops: [], stopTokens: new Set() };
}

function chat(model: LlamaModel, chatWrapper: ChatWrapper, messages: readonly EngineMessage[]): Prompt {
  const chatHistory = [...messages.map(toHistoryItem), toHistoryItem({ role: "assistant", content: "" })];
  const { contextText, stopGenerationTriggers } = chatWrapper.generateContextState({ chatHistory });
  const stops: string[] = [];
  const stopTokens = new Set<Token>();
  for (const trigger of stopGenerationTriggers) {
    const token = controlToken(model, trigger);
    if (token === undefined) stops.push(trigger.toString());
    else stopTokens.add(token);
  }
  return { tokens: contextText.tokenize(model.tokenizer), stops, stopTokens };
}

function toHistoryItem({ role, content, images, tool_calls }: EngineMessage): ChatHistoryItem {
  if (images) throw unsupported("images");
  if (tool_calls) throw unsupported("calls of tools");
  switch (role) {
    case "system":
      return { type: "system", text: content };
    case "user":
      return { type: "user", text: content };
    case "assistant":
      return { type: "model", response: content === "" ? [] : [content] };
    case "tool":
      throw unsupported("answers of tools");
  }
}

function unsupported(what: string): AppError {
  return new AppError("UNSUPPORTED_FEATURE", `the engine has no place for ${what} in messages`, {
    meta: { member: "messages" },
  });
}

/** The control token that a text begins with, if it does: such a token cannot come for any other reason. */
function controlToken(model: LlamaModel, text: LlamaText): Token | undefined {
  const [first] = text.tokenize(model.tokenizer);
  return model.isSpecialToken(first) ? first : undefined;
}
