import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { TokenizerFile } from "../../src/domain/job/tokenizer.ts";

const ASSETS = join(import.meta.dirname, "../../src/app/assets");

/** The built-in model. */
export const TINY_MODEL_PATH = join(ASSETS, "aitbc-tiny.gguf");

/** The built-in model's tokenizer. */
export function readTinyTokenizer(): TokenizerFile {
  // Written by scripts/gen-tokenizer.ts, which checks it.
  return JSON.parse(readFileSync(join(ASSETS, "aitbc-tiny.tokenizer.json"), "utf8")) as TokenizerFile;
}

/** Counts as `Tokenizer` does, in the plainest way: looks at every pair of symbols again after each merge. */
export function countPlainly(
  { tokens, scores }: Pick<TokenizerFile, "tokens" | "scores">,
  text: string,
): number {
  const scoreOf = new Map(tokens.map((token, id) => [token, scores[id] ?? 0]));
  const symbols = [...text.toWellFormed().replaceAll(" ", "▁")];
  for (;;) {
    let best = -1;
    let bestScore = Number.NEGATIVE_INFINITY;
    for (let at = 0; at + 1 < symbols.length; at++) {
      const score = scoreOf.get(`${symbols[at]}${symbols[at + 1]}`);
      if (score !== undefined && score > bestScore) [best, bestScore] = [at, score];
    }
    if (best < 0) break;
    symbols.splice(best, 2, `${symbols[best]}${symbols[best + 1]}`);
  }
  return symbols.reduce((sum, symbol) => sum + (scoreOf.has(symbol) ? 1 : Buffer.byteLength(symbol)), 0);
}
