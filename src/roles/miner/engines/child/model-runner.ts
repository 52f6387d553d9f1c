import { randomInt } from "node:crypto";
import type {
  ChatWrapper,
  LlamaContextSequence,
  LlamaModel,
  SequenceEvaluateOptions,
  Token,
} from "node-llama-cpp";
import { AppError } from "../../../../kernel/errors.ts";
import type { EngineRequest, EngineResult } from "../engine.ts";
import type { ModelSetup } from "../frames.ts";
import type { LlamaLibrary } from "./llama-library.ts";
import { buildPrompt, type Prompt } from "./prompt.ts";
import { StopStrings } from "./stop-strings.ts";
import { TokenText } from "./token-text.ts";

/**
 * Tokens of the prompt that are read in one go. Between two goes an abort is noticed, so a larger number would
 * read a little faster and stop later.
 */
const PROMPT_SLICE_TOKENS = 64;

const SEED_RANGE = 2 ** 32;

export interface GenerateOptions {
  readonly signal: AbortSignal;
  /** Takes a piece of the answer; generation goes on when the promise resolves. */
  readonly emit: (text: string) => Promise<void> | void;
}

/** A loaded model with its slots. */
export class ModelRunner {
  readonly #model: LlamaModel;
  readonly #chatWrapper: ChatWrapper;
  readonly #free: LlamaContextSequence[];

  private constructor(model: LlamaModel, chatWrapper: ChatWrapper, sequences: LlamaContextSequence[]) {
    this.#model = model;
    this.#chatWrapper = chatWrapper;
    this.#free = sequences;
  }

  /** Loads a model. @throws whatever llama.cpp throws: no such file, not a GGUF, not enough memory. */
  static async load(library: LlamaLibrary, setup: ModelSetup): Promise<ModelRunner> {
    const llama = await library.getLlama({
      gpu: setup.gpu,
      build: "never",
      skipDownload: true,
      maxThreads: setup.threads,
      logLevel: library.LlamaLogLevel.error,
      logger: (_level, message) => process.stderr.write(message),
    });
    const model = await llama.loadModel({
      modelPath: setup.model_path,
      ...(setup.gpu === false ? { gpuLayers: 0 } : {}),
    });
    const context = await model.createContext({
      contextSize: setup.context_tokens,
      sequences: setup.slots,
      threads: setup.threads,
    });
    return new ModelRunner(
      model,
      chatWrapperOf(library, model),
      Array.from({ length: setup.slots }, () => context.getSequence()),
    );
  }

  /**
   * Writes an answer. Returns undefined when the signal stopped it.
   * @throws AppError INVALID_PAYLOAD when the input is longer than the context; ENGINE_FAILED without a free slot.
   */
  async generate(request: EngineRequest, options: GenerateOptions): Promise<EngineResult | undefined> {
    const sequence = this.#free.pop();
    if (sequence === undefined) throw new AppError("ENGINE_FAILED", "more jobs than slots");
    try {
      const prompt = buildPrompt(this.#model, this.#chatWrapper, request, sequence.contextSize);
      await sequence.clearHistory();
      return await this.#write(sequence, prompt, request, options);
    } finally {
      this.#free.push(sequence);
    }
  }

  async #write(
    sequence: LlamaContextSequence,
    prompt: Prompt,
    request: EngineRequest,
    { signal, emit }: GenerateOptions,
  ): Promise<EngineResult | undefined> {
    const text = new TokenText<Token>(
      (tokens, before) => this.#model.detokenize(tokens, false, before),
      prompt.tokens,
    );
    const stops = new StopStrings([...(request.stop ?? []), ...prompt.stops]);
    const rest = await readPrompt(sequence, prompt.tokens, signal);
    if (rest === undefined) return undefined;
    const limit = Math.min(request.max_tokens, sequence.contextSize - prompt.tokens.length);
    const finish = (
      finish_reason: EngineResult["finish_reason"],
      completion_tokens: number,
    ): EngineResult => ({
      finish_reason,
      prompt_tokens: prompt.tokens.length,
      completion_tokens,
    });
    let written = 0;
    let finishReason: EngineResult["finish_reason"] = "stop";
    for await (const token of sequence.evaluate(rest, samplingOf(request))) {
      if (signal.aborted) return undefined;
      if (prompt.stopTokens.has(token)) break;
      written += 1;
      const { text: certain, stopped } = stops.push(text.push(token));
      if (certain !== "") await emit(certain);
      if (stopped) return finish("stop", written);
      if (written === limit) {
        finishReason = "length";
        break;
      }
    }
    if (signal.aborted) return undefined;
    const { text: last, stopped } = stops.push(text.flush());
    const tail = stopped ? last : last + stops.flush();
    if (tail !== "") await emit(tail);
    return finish(stopped ? "stop" : finishReason, written);
  }
}

/**
 * The model's own chat template; where it has none or a broken one, the library's guess. To guess always would
 * compare the template with two dozen known ones, which takes longer than loading a small model.
 */
function chatWrapperOf(library: LlamaLibrary, model: LlamaModel): ChatWrapper {
  if (model.fileInfo.metadata.tokenizer?.chat_template) {
    try {
      return library.resolveChatWrapper(model, {
        type: "jinjaTemplate",
        fallbackToOtherWrappersOnJinjaError: false,
      });
    } catch {
      // The guess below still knows the common formats.
    }
  }
  return library.resolveChatWrapper(model) ?? new library.GeneralChatWrapper();
}

/** Reads all but the last slice of a prompt and returns that slice; undefined when aborted on the way. */
async function readPrompt(
  sequence: LlamaContextSequence,
  tokens: Token[],
  signal: AbortSignal,
): Promise<Token[] | undefined> {
  let at = 0;
  for (; tokens.length - at > PROMPT_SLICE_TOKENS; at += PROMPT_SLICE_TOKENS) {
    if (signal.aborted) return undefined;
    await sequence.evaluateWithoutGeneratingNewTokens(tokens.slice(at, at + PROMPT_SLICE_TOKENS));
  }
  return signal.aborted ? undefined : tokens.slice(at);
}

function samplingOf(request: EngineRequest): SequenceEvaluateOptions {
  return {
    temperature: request.temperature,
    topP: request.top_p ?? 1,
    topK: request.top_k ?? 0,
    minP: 0,
    seed: request.seed ?? randomInt(SEED_RANGE),
  };
}
