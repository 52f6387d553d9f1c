import type { LlamaContextSequence, Token } from "node-llama-cpp";
import { AppError } from "../../../../kernel/errors.ts";

/** The sequences of a context. Each keeps the tokens that it has read, for whoever begins with the same ones. */
export class SequencePool {
  /** Free ones, the longest unused first. */
  readonly #free: LlamaContextSequence[];

  constructor(sequences: readonly LlamaContextSequence[]) {
    this.#free = [...sequences];
  }

  /** Takes the free sequence that shares the longest beginning with these tokens. @throws AppError ENGINE_FAILED */
  take(tokens: Token[]): LlamaContextSequence {
    let best = 0;
    let shared = -1;
    for (const [index, sequence] of this.#free.entries()) {
      const { firstDifferentIndex } = sequence.compareContextTokens(tokens);
      if (firstDifferentIndex > shared) [best, shared] = [index, firstDifferentIndex];
    }
    const [sequence] = this.#free.splice(best, 1);
    if (!sequence) throw new AppError("ENGINE_FAILED", "more jobs than slots");
    return sequence;
  }

  giveBack(sequence: LlamaContextSequence): void {
    this.#free.push(sequence);
  }
}
