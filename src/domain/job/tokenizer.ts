/**
 * Counts tokens as llama.cpp does for vocabularies of the kind "llama" (SentencePiece BPE with scores, byte
 * fallback, no space put before the text): spaces become ▁, then of all neighbouring symbols whose
 * concatenation is a token those with the highest score are merged, leftmost first, until none are left. A
 * character that is no token takes one token for each byte of its UTF-8.
 */
import { utf8Length } from "../../crypto/bytes.ts";
import { AppError } from "../../kernel/errors.ts";
import { type Merge, MergeQueue } from "./merge-queue.ts";
import type { UnitCounter } from "./meter.ts";

/** A tokenizer as files hold it: tokens in the order of their ids, each with its score. */
export interface TokenizerFile {
  readonly type: "spm";
  /** SHA-256 (hex) of the model that it was taken from. */
  readonly model_sha256: string;
  readonly tokens: readonly string[];
  readonly scores: readonly number[];
}

/**
 * Longest piece that is tokenized as a whole, in characters; a longer one is counted in pieces of this length.
 * No text has such words; without the limit, a miner that sends one character at a time could make every
 * statement of progress cost as much as all of its text.
 */
export const MAX_PIECE_CHARACTERS = 1024;

/** Pieces whose count is remembered: text is made of few different words. */
const MAX_CACHED_PIECES = 8192;
/** Longest piece that is remembered, in UTF-16 units: longer ones seldom come again. */
const MAX_CACHED_LENGTH = 32;

/** Code points end below this (Unicode 3.4, D9). */
const CODE_POINTS = 0x11_0000;
const SPACE = 0x20;
/** ▁, which stands for a space in tokens. */
const SPACE_MARK = 0x25_81;

const pairOf = (first: number, second: number): number => first * CODE_POINTS + second;

/** A tokenizer, ready to count. */
export class Tokenizer {
  readonly #scores = new Map<string, number>();
  /**
   * Characters that stand side by side within some token. Between two others no merge can ever happen, so that a
   * text can be cut there and its parts counted apart: that is what makes counting incremental.
   */
  readonly #joined = new Set<number>();
  #longest = 0;
  readonly #counts = new Map<string, number>();

  /** @throws AppError INVALID_ARGUMENT for a file whose tokens and scores do not belong together */
  constructor({ type, tokens, scores }: TokenizerFile) {
    if (type !== "spm") throw new AppError("INVALID_ARGUMENT", `type: no tokenizer of type ${type} is known`);
    if (tokens.length !== scores.length) {
      throw new AppError("INVALID_ARGUMENT", `scores: must be as many as tokens, ${tokens.length}`);
    }
    for (const [id, token] of tokens.entries()) this.#addToken(token, scores[id] ?? Number.NaN);
  }

  /** Begins a count at the start of a text. */
  counter(): UnitCounter {
    return new TokenCounter(this);
  }

  /** Whether a merge may ever join what ends with the first character and what begins with the second. */
  joins(first: number, second: number): boolean {
    return this.#joined.has(pairOf(first, second));
  }

  /** Tokens of a piece of text, spaces written as ▁. Nothing beside the piece is looked at. */
  countPiece(piece: string): number {
    if (piece.length > MAX_CACHED_LENGTH) return this.#count(piece);
    const known = this.#counts.get(piece);
    if (known !== undefined) return known;
    const count = this.#count(piece);
    if (this.#counts.size >= MAX_CACHED_PIECES) this.#counts.clear();
    this.#counts.set(piece, count);
    return count;
  }

  #addToken(token: string, score: number): void {
    if (!Number.isFinite(score)) throw new AppError("INVALID_ARGUMENT", "scores: must be finite numbers");
    if (this.#scores.has(token)) throw new AppError("INVALID_ARGUMENT", "tokens: must not repeat");
    this.#scores.set(token, score);
    this.#longest = Math.max(this.#longest, token.length);
    let before: number | undefined;
    for (const character of token) {
      const code = codeOf(character, 0);
      if (before !== undefined) this.#joined.add(pairOf(before, code));
      before = code;
    }
  }

  #count(piece: string): number {
    const symbols = new Symbols(piece);
    const queue = new MergeQueue();
    const propose = (left: number, right: number): void => {
      const merge = this.#findMerge(symbols, left, right);
      if (merge) queue.push(merge);
    };
    for (let right = 1; right < symbols.characters; right++) propose(right - 1, right);
    for (let merge = queue.pop(); merge; merge = queue.pop()) {
      if (!symbols.isCurrent(merge)) continue;
      symbols.join(merge);
      propose(symbols.before(merge.left), merge.left);
      propose(merge.left, symbols.after(merge.left));
    }
    let count = 0;
    for (let at = 0; at !== NONE; at = symbols.after(at)) {
      const text = symbols.text(at, at);
      count += this.#scores.has(text) ? 1 : utf8Length(text);
    }
    return count;
  }

  #findMerge(symbols: Symbols, left: number, right: number): Merge | undefined {
    if (left === NONE || right === NONE) return undefined;
    const length = symbols.length(left, right);
    if (length > this.#longest) return undefined;
    const score = this.#scores.get(symbols.text(left, right));
    return score === undefined ? undefined : { score, left, right, length };
  }
}

/** No symbol. */
const NONE = -1;

/** A piece as a chain of symbols, one a character at first. A symbol keeps the number of its first character. */
class Symbols {
  readonly #piece: string;
  readonly #start: number[] = [];
  readonly #end: number[] = [];
  readonly #before: number[] = [];
  readonly #after: number[] = [];
  /** Characters of the piece: the number of symbols at first. */
  readonly characters: number;

  constructor(piece: string) {
    this.#piece = piece;
    let at = 0;
    let count = 0;
    for (const character of piece) {
      this.#start.push(at);
      at += character.length;
      this.#end.push(at);
      this.#before.push(count - 1);
      this.#after.push(++count);
    }
    if (count > 0) this.#after[count - 1] = NONE;
    this.characters = count;
  }

  before(symbol: number): number {
    return this.#before[symbol] ?? NONE;
  }

  after(symbol: number): number {
    return this.#after[symbol] ?? NONE;
  }

  /** UTF-16 units from the start of one symbol to the end of another. */
  length(left: number, right: number): number {
    return (this.#end[right] ?? 0) - (this.#start[left] ?? 0);
  }

  text(left: number, right: number): string {
    return this.#piece.slice(this.#start[left], this.#end[right]);
  }

  /** Whether both symbols of a merge are still what they were when it was proposed. */
  isCurrent({ left, right, length }: Merge): boolean {
    return this.after(left) === right && this.length(left, right) === length;
  }

  /** Makes one symbol of two; the right one is gone. */
  join({ left, right }: Merge): void {
    const after = this.after(right);
    this.#end[left] = this.#end[right] ?? 0;
    this.#after[left] = after;
    if (after !== NONE) this.#before[after] = left;
    // Nothing that was proposed for it holds any more.
    this.#after[right] = NONE;
  }
}

/** Counts a text that comes in parts: only the piece that its last characters belong to is ever looked at again. */
class TokenCounter implements UnitCounter {
  readonly #tokenizer: Tokenizer;
  /** Tokens of the pieces that nothing can change any more. */
  #closed = 0;
  #open = "";
  #openCharacters = 0;
  /** Last character of the open piece. */
  #last = NONE;
  /** Tokens of the open piece, where they were counted. */
  #openCount: number | undefined = 0;

  constructor(tokenizer: Tokenizer) {
    this.#tokenizer = tokenizer;
  }

  add(text: string): void {
    if (text === "") return;
    const marked = text.toWellFormed().replaceAll(" ", "▁");
    let start = 0;
    for (let at = 0; at < marked.length; ) {
      const code = codeOf(marked, at);
      if (this.#cutsBefore(code)) {
        this.#close(marked.slice(start, at));
        start = at;
      }
      this.#last = code;
      this.#openCharacters++;
      at += code > 0xff_ff ? 2 : 1;
    }
    this.#open += marked.slice(start);
    this.#openCount = undefined;
  }

  get units(): number {
    this.#openCount ??= this.#tokenizer.countPiece(this.#open);
    return this.#closed + this.#openCount;
  }

  #cutsBefore(code: number): boolean {
    if (this.#openCharacters === 0) return false;
    return this.#openCharacters >= MAX_PIECE_CHARACTERS || !this.#tokenizer.joins(this.#last, code);
  }

  #close(rest: string): void {
    this.#closed += this.#tokenizer.countPiece(this.#open + rest);
    this.#open = "";
    this.#openCharacters = 0;
  }
}

function codeOf(text: string, at: number): number {
  const code = text.codePointAt(at) ?? 0;
  return code === SPACE ? SPACE_MARK : code;
}
