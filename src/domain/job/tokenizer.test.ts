import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { countPlainly, readTinyTokenizer } from "../../../test/harness/tokenizer.ts";
import { MAX_PIECE_CHARACTERS, Tokenizer, type TokenizerFile } from "./tokenizer.ts";

const TINY = readTinyTokenizer();
const tokenizer = new Tokenizer(TINY);

const fileOf = (scores: Readonly<Record<string, number>>): TokenizerFile => ({
  type: "spm",
  model_sha256: "00".repeat(32),
  tokens: Object.keys(scores),
  scores: Object.values(scores),
});

function count(text: string, by = tokenizer): number {
  const counter = by.counter();
  counter.add(text);
  return counter.units;
}

/** Text that meets many tokens of the vocabulary, and what is in none. */
const texts = fc
  .array(
    fc.oneof(
      fc.constantFrom(...TINY.tokens.map((token) => token.replaceAll("▁", " "))),
      fc.string({ unit: "grapheme", maxLength: 6 }),
      fc.constantFrom(" ", "  ", "\n", "▁", "\u0000", "é", "中文", "👩‍👩‍👧", "\ud800", "<0x0A>"),
    ),
    { maxLength: 30 },
  )
  .map((parts) => parts.join(""));

/** Small vocabularies whose merges compete: each pair and triple of three letters has any score, or is no token. */
const vocabularies = fc
  .array(
    fc.tuple(
      fc.string({ unit: fc.constantFrom("a", "b", "▁"), minLength: 1, maxLength: 4 }),
      fc.integer({ min: -3, max: 3 }),
    ),
    {
      maxLength: 12,
    },
  )
  .map((entries) => fileOf(Object.fromEntries(entries)));

describe("Tokenizer", () => {
  it("counts what is in no vocabulary by its bytes", () => {
    const none = new Tokenizer(fileOf({}));
    expect(count("aé中👍", none)).toBe(1 + 2 + 3 + 4);
    expect(count("\ud800", none)).toBe(3);
    expect(count(" ", none)).toBe(3);
    expect(count("", none)).toBe(0);
  });

  it("merges the highest score first, and of equal ones the leftmost", () => {
    expect(count("abc", new Tokenizer(fileOf({ a: 0, b: 0, c: 0, ab: 1, bc: 2 })))).toBe(2);
    // ab|a|c, although a|bac would be shorter.
    expect(count("abac", new Tokenizer(fileOf({ a: 0, b: 0, c: 0, ab: 1, ba: 1, bac: 1 })))).toBe(3);
    expect(count("aaa", new Tokenizer(fileOf({ aa: 0, a: 0 })))).toBe(2);
    expect(count("aaaa", new Tokenizer(fileOf({ aa: 0, aaaa: 0, a: 0 })))).toBe(1);
  });

  it("counts as the plain algorithm does, with the built-in model's vocabulary", () => {
    fc.assert(
      fc.property(texts, (text) => {
        expect(count(text)).toBe(countPlainly(TINY, text));
      }),
    );
  });

  it("counts as the plain algorithm does, with any vocabulary", () => {
    const letters = fc.string({ unit: fc.constantFrom("a", "b", " "), maxLength: 24 });
    fc.assert(
      fc.property(vocabularies, letters, (file, text) => {
        expect(count(text, new Tokenizer(file))).toBe(countPlainly(file, text));
      }),
      { numRuns: 500 },
    );
  });

  it("counts parts as it counts the whole, whether it is asked in between or not", () => {
    const cuts = fc.array(fc.nat(200), { maxLength: 8 });
    fc.assert(
      fc.property(texts, cuts, fc.boolean(), (text, at, asks) => {
        const characters = [...text];
        const counter = tokenizer.counter();
        let from = 0;
        for (const cut of [...at].sort((a, b) => a - b)) {
          counter.add(characters.slice(from, cut).join(""));
          if (asks) expect(counter.units).toBe(count(characters.slice(0, cut).join("")));
          from = Math.min(cut, characters.length);
        }
        counter.add(characters.slice(from).join(""));
        expect(counter.units).toBe(count(text));
      }),
    );
  });

  it("counts a word past the limit in pieces, wherever its parts were cut", () => {
    const twice = new Tokenizer(fileOf({ a: 0, aa: 0 }));
    // Two odd pieces have one single token each; as one word the two would be a pair.
    const length = 2 * MAX_PIECE_CHARACTERS + 1;
    expect(count("a".repeat(length), twice)).toBe(MAX_PIECE_CHARACTERS + 1);
    const counter = twice.counter();
    for (let at = 0; at < length; at++) counter.add("a");
    expect(counter.units).toBe(MAX_PIECE_CHARACTERS + 1);
  });

  it("takes time in proportion to the text, also for one word of a mebibyte", () => {
    const startedAt = performance.now();
    expect(count("the".repeat(350_000))).toBeGreaterThan(300_000);
    // A quadratic count would take hours.
    expect(performance.now() - startedAt).toBeLessThan(10_000);
  });

  it.each([
    ["another type", { ...TINY, type: "bpe" as "spm" }, "type"],
    ["a score too few", { ...TINY, scores: TINY.scores.slice(1) }, "scores"],
    ["a score that is no number", fileOf({ a: Number.NaN }), "scores"],
    ["a token twice", { ...fileOf({ a: 0 }), tokens: ["a", "a"], scores: [0, 0] }, "tokens"],
  ])("refuses a file with %s", (_what, file, member) => {
    expect(() => new Tokenizer(file)).toThrow(member);
  });
});
