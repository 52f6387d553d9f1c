import type { LlamaModel, Token } from "node-llama-cpp";
import type { ChosenLogprob, TokenLogprob } from "../../../../domain/job/deltas.ts";

/** Stands for a probability too small for a 32-bit float, whose logarithm JSON cannot say. */
const LEAST_LOGPROB = -9999;
/** How a vocabulary writes a token that is one byte (SentencePiece). */
const BYTE_TOKEN = /^<0x([0-9A-Fa-f]{2})>$/;
const REPLACEMENT = "\uFFFD";

/** Says tokens and their probabilities as an answer tells them. */
export class TokenLogprobs {
  readonly #model: LlamaModel;

  constructor(model: LlamaModel) {
    this.#model = model;
  }

  /** The chosen token and the `count` likeliest ones, behind the tokens `before`. */
  describe(
    token: Token,
    probabilities: ReadonlyMap<Token, number>,
    count: number,
    before: readonly Token[],
  ): ChosenLogprob {
    const top = [...probabilities.entries().take(count)].map(([other, p]) => this.#say(other, p, before));
    const chosen = this.#say(token, probabilities.get(token) ?? 0, before);
    return count === 0 ? chosen : { ...chosen, top };
  }

  #say(token: Token, probability: number, before: readonly Token[]): TokenLogprob {
    const logprob = probability > 0 ? Math.log(probability) : LEAST_LOGPROB;
    const text = this.#model.detokenize([token], false, before) || this.#model.detokenize([token], true);
    const bytes = text.includes(REPLACEMENT) ? this.#bytes(token) : undefined;
    return { token: text, logprob, ...(bytes && { bytes }) };
  }

  /** A token's bytes as the vocabulary writes them; undefined where it does not say. */
  #bytes(token: Token): number[] | undefined {
    const written: unknown = this.#model.fileInfo.metadata.tokenizer.ggml.tokens[token];
    if (typeof written !== "string") return undefined;
    const byte = BYTE_TOKEN.exec(written)?.[1];
    if (byte !== undefined) return [Number.parseInt(byte, 16)];
    const bytes = [...written].map((char) => BYTE_OF.get(char));
    return bytes.every((value) => value !== undefined) ? bytes : undefined;
  }
}

/**
 * Bytes by the characters that stand for them in byte-level BPE (GPT-2, `bytes_to_unicode`): printable ones for
 * themselves, the others for characters from U+0100 on.
 */
const BYTE_OF: ReadonlyMap<string, number> = new Map(
  (() => {
    const isPrintable = (byte: number): boolean =>
      (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;
    let next = 0x100;
    return Array.from({ length: 0x100 }, (_, byte): [string, number] => [
      String.fromCodePoint(isPrintable(byte) ? byte : next++),
      byte,
    ]);
  })(),
);
