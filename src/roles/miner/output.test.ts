import { describe, expect, it } from "vitest";
import { Output } from "./output.ts";

describe("Output", () => {
  it("joins a surrogate pair that comes in two parts", () => {
    const output = new Output(0, 100);
    output.append("a\ud83d");
    expect(output.text(0, 100)).toBe("a");
    output.append("\ude00b");
    expect(output.text(0, 100)).toBe("a😀b");
  });

  it("takes half a pair as U+FFFD when nothing follows it", () => {
    const output = new Output(0, 100);
    output.append("a\ud83d");
    output.finish();
    expect(output.text(0, 100)).toBe("a\ufffd");
    expect(output.end).toBe(4);
  });

  it("never cuts a character when it hands out a part", () => {
    const output = new Output(0, 100);
    output.append("é😀€");
    expect(output.text(0, 1)).toBe("");
    expect(output.text(0, 5)).toBe("é");
    expect(output.text(2, 6)).toBe("😀");
    expect(output.text(6, 3)).toBe("€");
  });

  it("stops at the last whole character before the limit", () => {
    const output = new Output(10, 16);
    output.append("abc😀");
    expect(output.full).toBe(true);
    output.append("d");
    expect(output.text(10, 100)).toBe("abc");
    expect(output.end).toBe(13);
  });

  it("fills the limit exactly without being full", () => {
    const output = new Output(0, 4);
    output.append("😀");
    expect(output.full).toBe(false);
    output.append("x");
    expect(output.full).toBe(true);
    expect(output.end).toBe(4);
  });

  it("hands out whole pieces, of which one may be longer than the room", () => {
    const output = new Output(10, 100);
    for (const piece of ["ab", "cdé", "f"]) output.append(piece);
    expect(output.pieces(10, 100)).toBe("abcdéf");
    expect(output.pieces(10, 5)).toBe("ab");
    expect(output.pieces(12, 4)).toBe("cdé");
    expect(output.pieces(12, 3)).toBe("");
    expect(output.pieces(17, 100)).toBe("");
  });

  it("addresses text by its offset in the whole output, beyond its first room", () => {
    const output = new Output(1000, 100_000);
    for (let i = 0; i < 3000; i++) output.append("€uro");
    expect(output.end).toBe(1000 + 3000 * 6);
    expect(output.text(1000 + 2999 * 6, 100)).toBe("€uro");
    expect(output.isBoundary(1000)).toBe(true);
    expect(output.isBoundary(1001)).toBe(false);
    expect(output.isBoundary(999)).toBe(false);
    expect(output.isBoundary(output.end)).toBe(true);
    expect(output.isBoundary(output.end + 1)).toBe(false);
  });
});
