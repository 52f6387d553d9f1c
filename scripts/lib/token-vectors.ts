/** Test vectors of meters that count tokens. */
import { createAppMeters } from "../../src/app/meters.ts";
import type { Canonicalizable } from "../../src/crypto/canonical-json.ts";
import { type Meter, promptUnits, segmentUnits } from "../../src/domain/job/meter.ts";
import { MAX_PIECE_CHARACTERS, Tokenizer } from "../../src/domain/job/tokenizer.ts";
import { readTinyTokenizer } from "../../test/harness/tokenizer.ts";

/** A vocabulary in which each rule shows. */
const SMALL = {
  tokens: ["a", "b", "c", "▁", "ab", "ba", "bac", "▁a", "aa", "<0x0A>"],
  scores: [0, 0, 0, 0, -1, -1, -1, -2, -3, 0],
};
const SMALL_TEXTS = ["", "abac", "aba ab", " a  a", "▁a", "é中👍", "\n", "<0x0A>", "aaa"];

const TEXTS = [
  "",
  "Hello",
  "What is 37 + 45?",
  "37 + 45 = 82.",
  "The capital of Japan is Tokyo.",
  "  two  spaces ",
  "line\n\nline\ttab",
  "Très bref — 中文 🦊",
  "<|im_end|></s><0x0A>",
];

/** Prefix, and the segment that continues it. */
const SEGMENTS = [
  ["", "Once upon a time"],
  ["Once upon a ti", "me there was a fox."],
  ["the", "re"],
  ["th", "e"],
] as const;

/** Units by the built-in tokenizer and by a small vocabulary. */
export function tokenVectors(): Canonicalizable {
  const meter = createAppMeters().forModel(`sha256:${readTinyTokenizer().model_sha256}`);
  const small: Meter = {
    name: "small",
    counter: () => new Tokenizer({ type: "spm", model_sha256: "", ...SMALL }).counter(),
  };
  const count = (by: Meter, text: string): Canonicalizable => ({ text, units: segmentUnits(by, "", text) });
  const repeated = { text: "a", times: 2 * MAX_PIECE_CHARACTERS + 1 };
  const request = { system: "You are brief.", prompt: "What is 37 + 45?" };
  return {
    about:
      "Units by meters of the form tok:<SHA-256 of a tokenizer's file>. max_piece_characters: longer pieces are counted in parts of this length.",
    max_piece_characters: MAX_PIECE_CHARACTERS,
    small: {
      ...SMALL,
      texts: SMALL_TEXTS.map((text) => count(small, text)),
      repeated: { ...repeated, units: segmentUnits(small, "", repeated.text.repeat(repeated.times)) },
    },
    builtin: {
      meter: meter.name,
      texts: TEXTS.map((text) => count(meter, text)),
      segments: SEGMENTS.map(([prefix, text]) => ({
        prefix,
        text,
        units: segmentUnits(meter, prefix, text),
      })),
      requests: [{ request, units: promptUnits(meter, request) }],
    },
  };
}
