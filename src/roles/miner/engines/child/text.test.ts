import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { StopStrings } from "./stop-strings.ts";
import { TokenText } from "./token-text.ts";

/** Every token is one byte: the hardest vocabulary there is. */
const bytesToText = (tokens: readonly number[]): string => Buffer.from(tokens).toString();

describe("TokenText", () => {
  it("gives whole characters only, and in the end all of them", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme" }), (text) => {
        const stream = new TokenText<number>(bytesToText, []);
        const pieces = [...Buffer.from(text)].map((byte) => stream.push(byte));
        expect([...pieces, stream.flush()].join("")).toBe(text);
        for (const piece of pieces) expect(piece.isWellFormed() && !piece.includes("\uFFFD")).toBe(true);
      }),
    );
  });

  it("drops a character whose end never comes", () => {
    const stream = new TokenText<number>(bytesToText, []);
    expect(stream.push(0x61)).toBe("a");
    expect(stream.push(0xe2)).toBe("");
    expect(stream.push(0x82)).toBe("");
    expect(stream.flush()).toBe("");
  });

  it("does not wait for ever where bytes are no text at all", () => {
    const stream = new TokenText<number>(bytesToText, []);
    const pieces = [0xff, 0xff, 0xff, 0xff].map((byte) => stream.push(byte));
    expect(pieces.join("")).toContain("\uFFFD");
  });
});

describe("StopStrings", () => {
  it("finds a stop string wherever the pieces are cut", () => {
    fc.assert(
      fc.property(
        fc.string({ unit: fc.constantFrom("a", "b", "c") }),
        fc.array(fc.string({ unit: fc.constantFrom("a", "b", "c"), minLength: 1, maxLength: 4 }), {
          maxLength: 3,
        }),
        fc.array(fc.nat({ max: 3 })),
        (text, stops, cuts) => {
          const stream = new StopStrings(stops);
          let out = "";
          let stopped = false;
          for (const piece of cut(text, cuts)) {
            const step = stream.push(piece);
            out += step.text;
            stopped = step.stopped;
            if (stopped) break;
          }
          if (!stopped) out += stream.flush();
          expect(stops.some((stop) => out.includes(stop))).toBe(false);
          expect(text.startsWith(out)).toBe(true);
          expect(stopped).toBe(stops.some((stop) => text.includes(stop)));
          if (stopped) expect(stops.some((stop) => text.startsWith(stop, out.length))).toBe(true);
          else expect(out).toBe(text);
        },
      ),
    );
  });

  it("holds nothing back that cannot become a stop string", () => {
    const stream = new StopStrings(["END"]);
    expect(stream.push("the E")).toEqual({ text: "the ", stopped: false });
    expect(stream.push("gg")).toEqual({ text: "Egg", stopped: false });
    expect(stream.push(" EN")).toEqual({ text: " ", stopped: false });
    expect(stream.push("D of it")).toEqual({ text: "", stopped: true });
  });
});

function cut(text: string, cuts: readonly number[]): string[] {
  const pieces: string[] = [];
  let at = 0;
  for (const length of cuts) {
    pieces.push(text.slice(at, at + length));
    at += length;
  }
  return [...pieces, text.slice(at)];
}
