import type { LlamaContextSequence, Token } from "node-llama-cpp";

/** What is asked of a sequence here. */
type ReadableSequence = Pick<
  LlamaContextSequence,
  "adaptStateToTokens" | "nextTokenIndex" | "evaluateWithoutGeneratingNewTokens"
>;

/** How long one go may take, in ms: an abort is noticed between two, and other jobs write a token then. */
const GO_MS = 100;
const FIRST_TOKENS = 16;
const LEAST_TOKENS = 8;
const MOST_TOKENS = 512;

/** Reads prompts in goes of the length that this machine and model manage in a tenth of a second. */
export class PromptReader {
  readonly #now: () => number;
  #goTokens = FIRST_TOKENS;

  /** `now` gives monotonic ms. */
  constructor(now: () => number) {
    this.#now = now;
  }

  /**
   * Reads all but the end of a prompt into a sequence that may know a part of it already, and gives that end, at least
   * one token. undefined when aborted on the way.
   */
  async read(
    sequence: ReadableSequence,
    tokens: Token[],
    signal: AbortSignal,
  ): Promise<{ readonly rest: Token[]; readonly cached: number } | undefined> {
    // What comes out is decided by the last token: it is always read anew.
    await sequence.adaptStateToTokens(tokens.slice(0, -1), false);
    const cached = sequence.nextTokenIndex;
    let at = cached;
    while (tokens.length - at > this.#goTokens) {
      if (signal.aborted) return undefined;
      const go = tokens.slice(at, at + this.#goTokens);
      const startedAt = this.#now();
      await sequence.evaluateWithoutGeneratingNewTokens(go);
      at += go.length;
      this.#adapt(go.length, this.#now() - startedAt);
    }
    return signal.aborted ? undefined : { rest: tokens.slice(at), cached };
  }

  /** One step at a time, so that a pause of the machine changes little. */
  #adapt(tokens: number, ms: number): void {
    if (tokens < this.#goTokens) return;
    if (ms > GO_MS) this.#goTokens = Math.max(LEAST_TOKENS, this.#goTokens / 2);
    else if (ms < GO_MS / 2) this.#goTokens = Math.min(MOST_TOKENS, this.#goTokens * 2);
  }
}
