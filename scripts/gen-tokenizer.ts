/**
 * Writes the tokenizer of the built-in model beside it, and the list of tokenizers that the program knows, from
 * the model's own header; `--check` fails when one is stale.
 */
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { MODEL_ASSET } from "../src/app/assets/manifest.ts";
import { canonicalize } from "../src/crypto/canonical-json.ts";
import { sha256Hex } from "../src/crypto/hash.ts";
import { Tokenizer, type TokenizerFile } from "../src/domain/job/tokenizer.ts";
import { writeOrCheck } from "./lib/generated.ts";
import { type GgufValue, readGgufMetadata } from "./lib/gguf-metadata.ts";

const ASSETS = "src/app/assets";
const TOKENIZER_ASSET = "aitbc-tiny.tokenizer.json";
/** Tokens that llama.cpp takes out of a text before it tokenizes the rest (GGUF specification, token_type). */
const USER_DEFINED = 4;
const BYTES = 256;

function listOf(metadata: ReadonlyMap<string, GgufValue>, key: string): readonly GgufValue[] {
  const value = metadata.get(`tokenizer.ggml.${key}`);
  if (!Array.isArray(value)) throw new Error(`${MODEL_ASSET} has no tokenizer.ggml.${key}`);
  return value;
}

/** The tokenizer of a model, if `Tokenizer` counts as llama.cpp does with it. */
function takeTokenizer(model: Buffer): TokenizerFile {
  const metadata = readGgufMetadata(model);
  const tokens = listOf(metadata, "tokens").map(String);
  const supported =
    metadata.get("tokenizer.ggml.model") === "llama" &&
    metadata.get("tokenizer.ggml.add_space_prefix") === false &&
    !listOf(metadata, "token_type").includes(USER_DEFINED);
  if (!supported) throw new Error(`${MODEL_ASSET} has a tokenizer of another kind`);
  for (let byte = 0; byte < BYTES; byte++) {
    const name = `<0x${byte.toString(16).toUpperCase().padStart(2, "0")}>`;
    if (!tokens.includes(name)) throw new Error(`${MODEL_ASSET} has no token ${name}`);
  }
  const scores = listOf(metadata, "scores").map(Number);
  return { type: "spm", model_sha256: sha256Hex(model), tokens, scores };
}

const tokenizer = takeTokenizer(readFileSync(resolve(import.meta.dirname, "..", ASSETS, MODEL_ASSET)));
// Throws for what it could not count with.
new Tokenizer(tokenizer);
const text = canonicalize({ ...tokenizer });
writeOrCheck(`${ASSETS}/${TOKENIZER_ASSET}`, text);
writeOrCheck(
  `${ASSETS}/tokenizers.ts`,
  `/**
 * The tokenizers that ship with the program, written by scripts/gen-tokenizer.ts. One that was shipped stays:
 * running jobs and receipts name it by its hash.
 */
export const TOKENIZERS = [
  {
    asset: "${TOKENIZER_ASSET}",
    sha256: "${sha256Hex(text)}",
    model_sha256: "${tokenizer.model_sha256}",
  },
] as const;
`,
);
