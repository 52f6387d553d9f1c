/** Turns tokens into text; `before` are tokens that preceded them, which can decide about a leading space. */
export type Detokenize<Token> = (tokens: readonly Token[], before: readonly Token[]) => string;

const REPLACEMENT = "\uFFFD";
/** A character has at most four bytes (RFC 3629), so at most three tokens can wait for its end. */
const MAX_WAITING_TOKENS = 3;
/** Tokens given as context to the detokenizer: it looks at the last ones only. */
const MAX_CONTEXT_TOKENS = 8;

/**
 * Text of a growing list of tokens. A token can be a part of a character; its text waits for the rest, so that
 * no piece ends inside a character.
 */
export class TokenText<Token> {
  readonly #detokenize: Detokenize<Token>;
  #before: readonly Token[];
  #waiting: Token[] = [];

  constructor(detokenize: Detokenize<Token>, before: readonly Token[]) {
    this.#detokenize = detokenize;
    this.#before = before.slice(-MAX_CONTEXT_TOKENS);
  }

  /** Takes a token and gives the text that is complete with it: perhaps none. */
  push(token: Token): string {
    this.#waiting.push(token);
    const text = this.#detokenize(this.#waiting, this.#before);
    if (text.endsWith(REPLACEMENT) && this.#waiting.length <= MAX_WAITING_TOKENS) return "";
    this.#before = [...this.#before, ...this.#waiting].slice(-MAX_CONTEXT_TOKENS);
    this.#waiting = [];
    return text;
  }

  /** The answer has ended: text that waited, without a character whose end never came. */
  flush(): string {
    const text = this.#detokenize(this.#waiting, this.#before);
    this.#waiting = [];
    return text.replace(/\uFFFD+$/, "");
  }
}
