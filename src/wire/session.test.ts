import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseJson } from "../kernel/json.ts";
import { MAX_CHUNK_BYTES, MAX_OUTPUT_BYTES } from "./limits.ts";
import { MinerFrame, readPlainChunk } from "./session.ts";

/** What the parser and the schema make of a text; undefined where they refuse it. */
function readSlowly(raw: string): MinerFrame | undefined {
  try {
    return MinerFrame.safeParse(parseJson(raw)).data;
  } catch {
    return undefined;
  }
}

const JOB = "0199f3a2c4d17b0e8a52c1d07f3b6e94";
const chunk = { type: "chunk", job_id: JOB, token: 1, offset: 0, text: "x" };
const plain = JSON.stringify(chunk);

const hostileText = fc.oneof(
  fc.string({ unit: "binary", minLength: 1, maxLength: 20 }),
  fc.string({
    unit: fc.constantFrom('"', "\\", "/", "\n", "\u0000", "\u2028", "\ud800", "\udc00", "é", "😀", "u"),
  }),
);

describe("a chunk in its usual spelling", () => {
  it("is read as parser and schema read it", () => {
    const chunks = fc.record({
      type: fc.constant("chunk"),
      job_id: fc.oneof(
        fc.constant(JOB),
        fc.string({ unit: fc.constantFrom("0", "f", "F"), minLength: 31, maxLength: 33 }),
      ),
      token: fc.oneof(fc.integer({ min: -1, max: 3 }), fc.maxSafeInteger(), fc.double()),
      offset: fc.oneof(fc.integer({ min: -1, max: MAX_OUTPUT_BYTES + 1 }), fc.maxSafeInteger(), fc.double()),
      text: hostileText,
    });
    fc.assert(
      fc.property(chunks, (frame) => {
        const raw = JSON.stringify(frame);
        const read = readPlainChunk(raw);
        if (read) expect(read).toEqual(readSlowly(raw));
      }),
      { numRuns: 2000 },
    );
    expect(readPlainChunk(plain)).toEqual(chunk);
  });

  it("with some of its characters changed is left to the parser, or means what that says", () => {
    const piece = fc.oneof(
      fc.constantFrom('"', "\\", "\\u", "0", "-", ".", "e", ",", "}", " ", "\n", "\ud83d"),
      hostileText,
    );
    fc.assert(
      fc.property(fc.nat(plain.length), fc.nat(4), piece, (at, removed, put) => {
        const raw = plain.slice(0, at) + put + plain.slice(at + removed);
        const read = readPlainChunk(raw);
        if (read) expect(read).toEqual(readSlowly(raw));
      }),
      { numRuns: 5000 },
    );
  });

  it.each([
    ["escapes", { ...chunk, text: 'a "quoted"\n\\line\u0007 é 😀 \u2028' }],
    [
      "the largest text and offset",
      { ...chunk, offset: MAX_OUTPUT_BYTES, text: "x".repeat(MAX_CHUNK_BYTES) },
    ],
  ])("with %s is read", (_, frame) => {
    expect(readPlainChunk(JSON.stringify(frame))).toEqual(frame);
  });

  it.each([
    ["no text", { ...chunk, text: "" }],
    ["half a character", { ...chunk, text: "\ud800" }],
    ["a text too long", { ...chunk, text: "x".repeat(MAX_CHUNK_BYTES + 1) }],
    ["an offset beyond all output", { ...chunk, offset: MAX_OUTPUT_BYTES + 1 }],
    ["a token of zero", { ...chunk, token: 0 }],
    ["a further member", { ...chunk, more: 1 }],
    ["its members in another order", { text: "x", type: "chunk", job_id: JOB, token: 1, offset: 0 }],
  ])("with %s is left to the parser", (_, frame) => {
    expect(readPlainChunk(JSON.stringify(frame))).toBeUndefined();
  });
});
