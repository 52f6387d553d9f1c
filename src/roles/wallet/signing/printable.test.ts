import { describe, expect, it } from "vitest";
import { utf8 } from "../../../crypto/bytes.ts";
import { printableText } from "./printable.ts";

describe("a printable text", () => {
  it.each(["", "hello", "zwei\nZeilen\r\n\tund mehr", "Ünïcödé ✓", "👩‍👩‍👧", "日本語"])(
    "is shown as it is: %j",
    (text) => {
      expect(printableText(utf8(text))).toBe(text);
    },
  );

  it.each([
    ["\u001b[2Jgone", "steers the terminal"],
    ["pay 1\rpay 9", "writes over itself"],
    ["a\0b", "has a zero"],
    ["\u202egro.elpmaxe", "reads backwards"],
    ["a\u2066b\u2069", "is isolated"],
    ["a\u00adb", "has a soft hyphen"],
    ["\ufeffa", "begins with a mark that nobody sees"],
    ["a\u2028b", "has another kind of line end"],
    ["a\u{e0041}", "has invisible tags"],
  ])("%j is none: it %s", (text) => {
    expect(printableText(utf8(text))).toBeUndefined();
  });

  it("is UTF-8", () => {
    for (const bytes of [[0xff], [0xc3], [0xed, 0xa0, 0x80], [0xc0, 0xaf]]) {
      expect(printableText(Uint8Array.from(bytes))).toBeUndefined();
    }
  });
});
