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
