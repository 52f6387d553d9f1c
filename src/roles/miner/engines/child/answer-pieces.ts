import type { AnswerDelta, ChosenLogprob } from "../../../../domain/job/deltas.ts";
import type { EnginePiece } from "../engine.ts";
import { StopStrings } from "./stop-strings.ts";
import { type Detokenize, TokenText } from "./token-text.ts";

/** Text between two places where tokens end and characters end, and its tokens' probabilities. */
interface Unit {
  readonly text: string;
  readonly logprobs: readonly ChosenLogprob[];
}

/** What a token adds to an answer. */
export interface AnswerStep {
  /** Text that is whole with this token; perhaps none. */
  readonly text: string;
  /** What may be told now. */
  readonly pieces: readonly EnginePiece[];
  /** Whether a stop string has ended the answer. */
  readonly stopped: boolean;
}

/**
 * Makes pieces of an answer from its tokens. A piece ends where a token ends: who goes on with the text of another
 * then begins at a place where that other could have been.
 */
export class AnswerPieces<Token> {
  readonly #text: TokenText<Token>;
  readonly #stops: StopStrings;
  /** What is held back while it could be the beginning of a stop string. */
  readonly #held: Unit[] = [];
  #logprobs: ChosenLogprob[] = [];
  /** Characters of `held` that are certain. */
  #certain = 0;

  /** `before` are the tokens in front of the answer. */
  constructor(detokenize: Detokenize<Token>, before: readonly Token[], stops: readonly string[]) {
    this.#text = new TokenText(detokenize, before);
    this.#stops = new StopStrings(stops);
  }

  /** Takes the next token, and its probability where that was asked for. */
  push(token: Token, logprob?: ChosenLogprob): AnswerStep {
    if (logprob) this.#logprobs.push(logprob);
    return this.#add(this.#text.push(token));
  }

  /** The answer has ended: gives what was held back. */
  flush(): AnswerStep {
    const step = this.#add(this.#text.flush());
    if (step.stopped) return step;
    this.#certain += this.#stops.flush().length;
    return { ...step, pieces: [...step.pieces, ...this.#release()] };
  }

  #add(text: string): AnswerStep {
    if (text === "") return { text, pieces: [], stopped: false };
    this.#held.push({ text, logprobs: this.#logprobs });
    this.#logprobs = [];
    const step = this.#stops.push(text);
    this.#certain += step.text.length;
    const pieces = this.#release();
    return { text, pieces: step.stopped ? [...pieces, ...this.#cut()] : pieces, stopped: step.stopped };
  }

  /** The units that are certain to their ends. */
  #release(): EnginePiece[] {
    const pieces: EnginePiece[] = [];
    for (let unit = this.#held[0]; unit && unit.text.length <= this.#certain; unit = this.#held[0]) {
      this.#certain -= unit.text.length;
      this.#held.shift();
      pieces.push(toPiece(unit));
    }
    return pieces;
  }

  /** What stands before a stop string that begins inside a token. */
  #cut(): EnginePiece[] {
    const text = this.#held[0]?.text.slice(0, this.#certain) ?? "";
    return text === "" ? [] : [text];
  }
}

function toPiece({ text, logprobs }: Unit): EnginePiece {
  if (logprobs.length === 0) return text;
  return { text, logprobs } satisfies AnswerDelta;
}
