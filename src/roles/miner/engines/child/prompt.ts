import type { ChatHistoryItem, ChatWrapper, LlamaModel, LlamaText, Token } from "node-llama-cpp";
import { AppError } from "../../../../kernel/errors.ts";
import type { EngineMessage, EngineRequest } from "../engine.ts";

/** Everything the model reads before it writes its first token, and what ends its answer. */
export interface Prompt {
  readonly tokens: Token[];
  /** Ends of a turn that the chat template knows, besides the model's own end tokens. */
  readonly stops: readonly string[];
  readonly stopTokens: ReadonlySet<Token>;
}

/**
 * Turns a request into tokens. The prefix is turned into tokens on its own and put behind the prompt's: so the
 * prompt's tokens are the same with and without one. Text from outside never becomes a control token.
 * @throws AppError INVALID_PAYLOAD when the tokens leave no room for an answer.
 */
export function buildPrompt(
  model: LlamaModel,
  chatWrapper: ChatWrapper,
  request: EngineRequest,
  contextTokens: number,
): Prompt {
  const prompt =
    request.messages === undefined
      ? completion(model, request.prompt ?? "")
      : chat(model, chatWrapper, request.messages);
  const bos = model.tokens.bos;
  const needsBos = model.tokens.shouldPrependBosToken && bos !== null && prompt.tokens[0] !== bos;
  const tokens = [
    ...(needsBos ? [bos] : []),
    ...prompt.tokens,
    ...model.tokenize(request.prefix, false, "trimLeadingSpace"),
  ];
  if (tokens.length >= contextTokens) {
    throw new AppError(
      "INVALID_PAYLOAD",
      `the input has ${tokens.length} tokens, and the model's context holds ${contextTokens} with the answer`,
      { meta: { tokens: tokens.length, context_tokens: contextTokens } },
    );
  }
  return { ...prompt, tokens };
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

function toHistoryItem({ role, content }: EngineMessage): ChatHistoryItem {
  switch (role) {
    case "system":
      return { type: "system", text: content };
    case "user":
      return { type: "user", text: content };
    case "assistant":
      return { type: "model", response: content === "" ? [] : [content] };
  }
}

/** The control token that a text begins with, if it does: such a token cannot come for any other reason. */
function controlToken(model: LlamaModel, text: LlamaText): Token | undefined {
  const [first] = text.tokenize(model.tokenizer);
  return model.isSpecialToken(first) ? first : undefined;
}
