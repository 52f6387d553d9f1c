import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ENTROPY_BYTES, entropyOfPhrase, phraseOfEntropy } from "./bip39.ts";

const entropies = fc
  .constantFrom(...ENTROPY_BYTES)
  .chain((length) => fc.uint8Array({ minLength: length, maxLength: length }));

describe("phrases", () => {
  it("are read back, however they are spaced and capitalised", () => {
    fc.assert(
      fc.property(entropies, (entropy) => {
        const phrase = phraseOfEntropy(entropy);
        expect(phrase.split(" ")).toHaveLength((entropy.length * 3) / 4);
        expect(entropyOfPhrase(phrase)).toEqual(entropy);
        expect(entropyOfPhrase(`\n ${phrase.toUpperCase().replaceAll(" ", " \t")} `)).toEqual(entropy);
      }),
    );
  });

  it("are refused, without being quoted, for a word too few, an unknown word, and a wrong checksum", () => {
    const words = phraseOfEntropy(new Uint8Array(16)).split(" ");
    for (const [wrong, problem] of [
      [words.slice(1), "12, 15, 18, 21 or 24 words, not 11"],
      [[...words.slice(1), "bitcoin"], "word 12 of the phrase is not in the list"],
      [words.with(0, "zoo"), "checksum"],
    ] as const) {
      const read = () => entropyOfPhrase(wrong.join(" "));
      expect(read).toThrow(problem);
      expect(read).toThrow(expect.objectContaining({ code: "INVALID_ARGUMENT" }));
      expect(read).not.toThrow(/abandon|about|zoo|bitcoin/);
    }
  });

  it("are not made of other lengths", () => {
    for (const length of [0, 15, 17, 33]) {
      expect(() => phraseOfEntropy(new Uint8Array(length))).toThrow(
        expect.objectContaining({ code: "INVALID_ARGUMENT" }),
      );
    }
  });
});
