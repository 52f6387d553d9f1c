import { expect, it } from "vitest";
import { entropyOfPhrase, phraseOfEntropy, seedOfPhrase } from "../../src/crypto/bip39.ts";
import { fromHex, toHex } from "../../src/crypto/bytes.ts";
import { describeVectors, readVector } from "./vectors.ts";

type Vector = readonly [entropy: string, phrase: string, seed: string, xprv: string];

/** Cases of each of the twelve languages in the published file. */
const CASES = 24;
const LANGUAGES = 12;
/** Passphrase of all vectors. */
const PASSPHRASE = "TREZOR";

const vectors = (): Readonly<Record<string, readonly Vector[]>> =>
  JSON.parse(readVector("bip39", "vectors.json")) as Record<string, Vector[]>;

/** Names of the lists of BIP-39 itself; the file has two more languages, whose lists are not part of it. */
const LISTS: Readonly<Record<string, string>> = {
  english: "english",
  czech: "czech",
  french: "french",
  italian: "italian",
  japanese: "japanese",
  korean: "korean",
  portuguese: "portuguese",
  spanish: "spanish",
  chinese_simplified: "simplified-chinese",
  chinese_traditional: "traditional-chinese",
};

describeVectors("bip39", "BIP-39", () => {
  it("gives the published seeds, in all languages", async () => {
    const all = Object.values(vectors());
    expect(all.map((cases) => cases.length)).toEqual(Array<number>(LANGUAGES).fill(CASES));
    for (const [, phrase, seed] of all.flat()) {
      expect(toHex(await seedOfPhrase(phrase, PASSPHRASE))).toBe(seed);
    }
  });

  it.each(Object.entries(LISTS))("gives the published phrases, both ways: %s", async (language, list) => {
    const { wordlist } = (await import(/* @vite-ignore */ `@scure/bip39/wordlists/${list}.js`)) as {
      wordlist: string[];
    };
    for (const [entropy, phrase] of vectors()[language] ?? []) {
      const bytes = fromHex("entropy", entropy);
      expect(phraseOfEntropy(bytes, wordlist).normalize("NFKD")).toBe(phrase.normalize("NFKD"));
      expect(toHex(entropyOfPhrase(phrase, wordlist))).toBe(entropy);
    }
  });
});
