import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { AnswerPieces } from "./answer-pieces.ts";
import { AnswerTokens } from "./answer-tokens.ts";
import { CallReader } from "./tool-calls.ts";

/** Tokens are numbers of one byte each. */
const bytesToText = (tokens: readonly number[]): string => Buffer.from(tokens).toString();

/** A tokenizer that makes one token of each text that it gets: where the answer is cut is all that tells. */
const parts = (text: string): string[] => (text === "" ? [] : [text]);

describe("AnswerTokens", () => {
  it("depend on the text and not on how it came", () => {
    const unit = fc.constantFrom("a", "é", "漢", "😀", " ", " ", "\n", "word ", "x".repeat(90));
    fc.assert(
      fc.property(fc.array(unit, { maxLength: 300, size: "max" }), fc.nat(), (pieces, at) => {
        const text = pieces.join("");
        const [whole, grown] = [new AnswerTokens(parts), new AnswerTokens(parts)];
        const tokens: string[] = [];
        for (const piece of pieces) {
          const step = grown.push(piece);
          tokens.splice(step.from, Infinity, ...step.tokens);
        }
        expect(tokens).toEqual(whole.push(text).tokens);
        // Who goes on anywhere ends with the same.
        const cut = pieces.slice(0, at % (pieces.length + 1)).join("");
        const next = new AnswerTokens(parts);
        const before = [...next.push(cut).tokens];
        const after = next.push(text.slice(cut.length));
        before.splice(after.from, Infinity, ...after.tokens);
        expect(before).toEqual(tokens);
      }),
    );
  });

  it("look at a bounded end of the text only, in whole characters", () => {
    const looked: string[] = [];
    const tokens = new AnswerTokens((text) => {
      looked.push(text);
      return [text];
    });
    for (let n = 0; n < 500; n++) tokens.push("word ");
    for (let n = 0; n < 3000; n++) tokens.push("😀");
    expect(Math.max(...looked.map(({ length }) => length))).toBeLessThanOrEqual(1027);
    expect(looked.every((text) => text.isWellFormed())).toBe(true);
  });
});

describe("AnswerPieces", () => {
  const make = (stops: readonly string[]): AnswerPieces<number> => new AnswerPieces(bytesToText, [], stops);

  it("end where tokens end, also where a stop string might have begun", () => {
    const tokens = [...Buffer.from("aEé")];
    const pieces = make(["EN"]);
    expect(tokens.map((token) => pieces.push(token).pieces)).toEqual([["a"], [], [], ["E", "é"]]);
  });

  it("end before a stop string", () => {
    const pieces = make(["b"]);
    expect(pieces.push(97)).toEqual({ text: "a", pieces: ["a"], stopped: false });
    expect(pieces.push(98)).toEqual({ text: "b", pieces: [], stopped: true });
  });

  it("carry the probabilities of their tokens", () => {
    const pieces = make([]);
    const of = (token: string): { token: string; logprob: number } => ({ token, logprob: -1 });
    const euro = [...Buffer.from("€")];
    const told = euro.flatMap((byte, n) => pieces.push(byte, of(String(n))).pieces);
    expect(told).toEqual([{ text: "€", logprobs: [of("0"), of("1"), of("2")] }]);
  });
});

describe("CallReader", () => {
  it("tells a call in parts, however its text is cut", () => {
    const call = '{"name":"a\\"b","arguments":{"c":{"d":"}"}}}';
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 9 }), { maxLength: 50 }), (sizes) => {
        const reader = new CallReader();
        const deltas = [];
        let at = 0;
        for (const size of [...sizes, call.length]) {
          deltas.push(...reader.push(call.slice(at, at + size)));
          at += size;
        }
        const end = reader.end();
        expect(end.whole).toBe(true);
        const [first, ...parts] = [...deltas, ...end.deltas].map(({ tool_call }) => tool_call);
        expect(first).toMatchObject({
          index: 0,
          name: 'a"b',
          id: expect.stringMatching(/^call_[0-9a-f]{24}$/),
        });
        expect(parts.map((part) => part?.arguments).join("")).toBe('{"c":{"d":"}"}}');
      }),
    );
  });

  it("tells what there is of a call that was cut", () => {
    const reader = new CallReader();
    const deltas = [...reader.push('{"name":"f","arguments":{"a":1}'), ...reader.end().deltas];
    expect(reader.end().whole).toBe(false);
    expect(deltas.map(({ tool_call }) => tool_call?.arguments ?? "").join("")).toBe('{"a":1}');
  });
});
