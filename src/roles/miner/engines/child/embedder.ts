import type { LlamaEmbeddingContext, LlamaModel } from "node-llama-cpp";
import { AppError } from "../../../../kernel/errors.ts";
import type { EmbedRequest, EngineResult } from "../engine.ts";
import type { ModelSetup } from "../frames.ts";
import { encodeVector } from "../vector.ts";
import type { GenerateOptions } from "./generation.ts";

/** Tokens that the model's own beginning and end add to an input, and the one that the context keeps free. */
const RESERVED_TOKENS = 3;

/** Makes vectors with a model, in a context of its own that is made when it is first needed. */
export class Embedder {
  readonly #model: LlamaModel;
  readonly #setup: ModelSetup;
  #context: Promise<LlamaEmbeddingContext> | undefined;

  constructor(model: LlamaModel, setup: ModelSetup) {
    this.#model = model;
    this.#setup = setup;
  }

  /**
   * Makes a vector of length 1 of each input. Returns undefined when the signal stopped it.
   * @throws AppError UNSUPPORTED_FEATURE for another number of dimensions than the model's; INVALID_PAYLOAD for an input
   * that is longer than the context, named before any vector is made
   */
  async embed(
    { input, dimensions }: EmbedRequest,
    { signal, emit }: GenerateOptions,
  ): Promise<EngineResult | undefined> {
    const own = this.#model.embeddingVectorSize;
    if (dimensions !== undefined && dimensions !== own) {
      throw new AppError(
        "UNSUPPORTED_FEATURE",
        `dimensions: the model's vectors have ${own}, and no other number`,
        {
          meta: { member: "dimensions" },
        },
      );
    }
    const texts = input.map((text, index) => this.#tokenize(text, index));
    const context = await this.#opened();
    for (const [choice, tokens] of texts.entries()) {
      if (signal.aborted) return undefined;
      const { vector } = await context.getEmbeddingFor(tokens);
      if (signal.aborted) return undefined;
      await emit({ choice, embedding: encodeVector(normalized(vector)) });
    }
    const prompt_tokens = texts.reduce((sum, { length }) => sum + length, 0);
    return { finish_reason: "stop", prompt_tokens, completion_tokens: 0 };
  }

  #tokenize(text: string, index: number): ReturnType<LlamaModel["tokenize"]> {
    const tokens = this.#model.tokenize(text, false);
    const most = this.#setup.context_tokens - RESERVED_TOKENS;
    if (tokens.length > most) {
      throw new AppError(
        "INVALID_PAYLOAD",
        `input[${index}] has ${tokens.length} tokens, and the model's context holds ${most}`,
        { meta: { member: "input", index } },
      );
    }
    return tokens;
  }

  /** All of an input must be read in one go, so the batch is as long as the context. */
  #opened(): Promise<LlamaEmbeddingContext> {
    const { context_tokens: contextSize, threads } = this.#setup;
    this.#context ??= this.#model.createEmbeddingContext({ contextSize, batchSize: contextSize, threads });
    return this.#context;
  }
}

function normalized(vector: readonly number[]): number[] {
  const length = Math.hypot(...vector) || 1;
  return vector.map((value) => value / length);
}
