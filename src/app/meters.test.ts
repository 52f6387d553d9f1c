import { readFileSync } from "node:fs";
import fc from "fast-check";
import { getLlama, type Llama, type LlamaModel } from "node-llama-cpp";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readTinyTokenizer, TINY_MODEL_PATH } from "../../test/harness/tokenizer.ts";
import { sha256Hex } from "../crypto/hash.ts";
import { createAppMeters } from "./meters.ts";

const { tokens } = readTinyTokenizer();

/** Everything that the tokenizer treats in a way of its own, mixed with any text. */
const texts = fc
  .array(
    fc.oneof(
      fc.constantFrom(...tokens.map((token) => token.replaceAll("▁", " "))),
      fc.string({ unit: "binary", maxLength: 8 }),
      fc.string({ unit: "grapheme", maxLength: 8 }),
      fc.stringMatching(/^[a-z]{1,200}$/),
      fc.constantFrom(
        " ",
        "    ",
        "\n",
        "\n\n",
        "\t",
        "▁",
        "é",
        "中文",
        "👩‍👩‍👧",
        "🙂",
        "<|im_end|>",
        "</s>",
      ),
    ),
    { maxLength: 20 },
  )
  .map((parts) => parts.join(""));

describe("the meter of the built-in model", () => {
  const meter = createAppMeters().forModel(`sha256:${sha256Hex(readFileSync(TINY_MODEL_PATH))}`);
  let llama: Llama;
  let model: LlamaModel;
  beforeAll(async () => {
    llama = await getLlama({ gpu: false, build: "never" });
    model = await llama.loadModel({ modelPath: TINY_MODEL_PATH });
  });
  afterAll(() => llama.dispose());

  const count = (text: string): number => {
    const counter = meter.counter();
    counter.add(text);
    return counter.units;
  };

  it("is named after its tokenizer's file", () => {
    const file = readFileSync(TINY_MODEL_PATH.replace(/\.gguf$/, ".tokenizer.json"));
    expect(meter.name).toBe(`tok:${sha256Hex(file)}`);
  });

  it("counts the tokens that llama.cpp makes of any text", () => {
    fc.assert(
      fc.property(texts, (text) => {
        expect(count(text)).toBe(model.tokenize(text, false).length);
      }),
      { numRuns: 1000 },
    );
  });

  it("counts the tokens that llama.cpp makes of long texts and long words", () => {
    const word = "internationalization";
    const samples = [
      "The quick brown fox. ".repeat(500),
      word.repeat(50),
      "0".repeat(1000),
      " ".repeat(1000),
    ];
    for (const text of samples) expect(count(text)).toBe(model.tokenize(text, false).length);
  });
});
