/** Characters after which an answer is cut into another part: a step then looks at so much text and a bit more. */
const PART_CHARS = 128;
/** Longest part, for text without words. */
const MAX_PART_CHARS = 1024;

/** A letter, a space, a letter: tokenizers begin a token with the space there. */
const WORD_BOUNDARY = /[\p{L}\p{N}] (?=[\p{L}\p{N}])/gu;

/**
 * The tokens of an answer as its text alone decides them, whatever tokens the model wrote it with. A miner that goes
 * on with the text of another then stands where that other stood, and greedy decoding goes on as it would have.
 *
 * The text is cut into parts so that a step stays cheap; where, follows from the text too.
 */
export class AnswerTokens<Token> {
  readonly #tokenize: (text: string) => readonly Token[];
  /** Tokens of the parts that no further text changes. */
  readonly #settled: Token[];
  #part = "";

  /** `before` are tokens of the answer that stay as they are. */
  constructor(tokenize: (text: string) => readonly Token[], before: readonly Token[] = []) {
    this.#tokenize = tokenize;
    this.#settled = [...before];
  }

  /** For an answer that goes on behind a token that stays as it is. */
  after(tokens: readonly Token[]): AnswerTokens<Token> {
    return new AnswerTokens(this.#tokenize, tokens);
  }

  /** Adds text and gives the tokens from index `from` on; those before it are as they were. */
  push(text: string): { readonly from: number; readonly tokens: readonly Token[] } {
    const from = this.#settled.length;
    this.#part += text;
    for (let end = partEnd(this.#part); end !== undefined; end = partEnd(this.#part)) {
      this.#settled.push(...this.#tokenize(this.#part.slice(0, end)));
      this.#part = this.#part.slice(end);
    }
    return { from, tokens: [...this.#settled.slice(from), ...this.#tokenize(this.#part)] };
  }
}

/** Where the first part of a text ends; undefined while that is open. */
function partEnd(text: string): number | undefined {
  if (text.length <= PART_CHARS) return undefined;
  WORD_BOUNDARY.lastIndex = PART_CHARS;
  const found = WORD_BOUNDARY.exec(text);
  const end = found ? found.index + found[0].length - 1 : undefined;
  if (end !== undefined && end <= MAX_PART_CHARS) return end;
  if (text.length <= MAX_PART_CHARS + 1) return undefined;
  // Not between the halves of a character outside the basic plane.
  return text.codePointAt(MAX_PART_CHARS - 1) === text.charCodeAt(MAX_PART_CHARS - 1)
    ? MAX_PART_CHARS
    : MAX_PART_CHARS - 1;
}
