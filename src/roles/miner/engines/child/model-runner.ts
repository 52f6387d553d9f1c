import type { ChatWrapper, Llama, LlamaGrammarEvaluationState, LlamaModel } from "node-llama-cpp";
import { AppError } from "../../../../kernel/errors.ts";
import type { EmbedRequest, EngineRequest, EngineResult } from "../engine.ts";
import type { ChildFrame, ModelSetup } from "../frames.ts";
import { Embedder } from "./embedder.ts";
import { type GenerateOptions, Generation } from "./generation.ts";
import type { LlamaLibrary } from "./llama-library.ts";
import { openLlama } from "./open-llama.ts";
import { buildPrompt } from "./prompt.ts";
import { PromptReader } from "./prompt-reader.ts";
import { grammarOf } from "./request-grammar.ts";
import { SequencePool } from "./sequence-pool.ts";

/** Where a model is computed. */
type Placement = Omit<Extract<ChildFrame, { type: "ready" }>, "type">;

interface Parts {
  readonly library: LlamaLibrary;
  readonly llama: Llama;
  readonly model: LlamaModel;
  readonly chatWrapper: ChatWrapper;
  readonly sequences: SequencePool;
  readonly embedder: Embedder;
  readonly placement: Placement;
}

/** A loaded model with its slots. */
export class ModelRunner {
  readonly #parts: Parts;
  readonly #reader = new PromptReader(() => performance.now());

  private constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** Loads a model. @throws whatever llama.cpp throws: no such file, not a GGUF, not enough memory. Never
   * computes on the processor what was meant for a GPU. */
  static async load(library: LlamaLibrary, setup: ModelSetup): Promise<ModelRunner> {
    const { llama, devices } = await openLlama(library, setup);
    const model = await llama.loadModel({
      modelPath: setup.model_path,
      ...(setup.gpu === false ? { gpuLayers: 0 } : {}),
    });
    const placement = { devices, layers: model.fileInsights.totalLayers, gpu_layers: model.gpuLayers };
    if (setup.gpu !== false && placement.gpu_layers === 0) {
      throw new AppError("ENGINE_UNAVAILABLE", `no layer of the model fits into the memory of ${devices}`);
    }
    // One context for all slots: what they write at the same time is computed in one go.
    const context = await model.createContext({
      contextSize: setup.context_tokens,
      sequences: setup.slots,
      threads: setup.threads,
    });
    return new ModelRunner({
      library,
      llama,
      model,
      chatWrapper: chatWrapperOf(library, model),
      sequences: new SequencePool(Array.from({ length: setup.slots }, () => context.getSequence())),
      embedder: new Embedder(model, setup),
      placement,
    });
  }

  get placement(): Placement {
    return this.#parts.placement;
  }

  /**
   * Writes an answer. Returns undefined when the signal stopped it.
   * @throws AppError INVALID_PAYLOAD when the input is longer than the context, or names no grammar; UNSUPPORTED_FEATURE;
   * ENGINE_FAILED without a free slot.
   */
  async generate(request: EngineRequest, options: GenerateOptions): Promise<EngineResult | undefined> {
    const { model, chatWrapper, sequences } = this.#parts;
    const prompt = buildPrompt(model, chatWrapper, request);
    const grammar = await this.#grammar(request);
    const sequence = sequences.take(prompt.tokens);
    try {
      const inputs = { model, sequence, reader: this.#reader, prompt, grammar, request };
      return await new Generation(inputs, options).run();
    } finally {
      sequences.giveBack(sequence);
    }
  }

  /** Makes vectors; see `Embedder.embed`. */
  embed(request: EmbedRequest, options: GenerateOptions): Promise<EngineResult | undefined> {
    return this.#parts.embedder.embed(request, options);
  }

  async #grammar(request: EngineRequest): Promise<LlamaGrammarEvaluationState | undefined> {
    const text = grammarOf(request);
    if (text === undefined) return undefined;
    const { library, llama, model } = this.#parts;
    try {
      const grammar = await llama.createGrammar({ grammar: text });
      return new library.LlamaGrammarEvaluationState({ model, grammar });
    } catch (error) {
      const member = request.format === undefined ? "tools" : "format";
      throw new AppError("INVALID_PAYLOAD", `${member}: llama.cpp makes no grammar of the schema`, {
        meta: { member },
        cause: error,
      });
    }
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
