import { describe, expect, it } from "vitest";
import { checkNewPassword } from "./password.ts";

const check = (text: string): void => checkNewPassword(new TextEncoder().encode(text));

describe("new passwords", () => {
  it.each([
    ["Abcdefghij1!", "twelve characters of all four classes"],
    ["Überraschung7€", "letters and symbols beyond ASCII"],
    ["correct horse battery staple again", "five words"],
    ["This is a long phrase", "five words, a short one among them"],
    ["eins-zwei-drei-vier-fünf", "words between dashes"],
  ])("%s: accepted (%s)", (text) => {
    expect(() => check(text)).not.toThrow();
  });

  it.each([
    ["", "nothing"],
    ["Abcdefghi1!", "eleven characters"],
    ["abcdefghijk1!", "no upper case"],
    ["ABCDEFGHIJK1!", "no lower case"],
    ["Abcdefghijkl!", "no digit"],
    ["Abcdefghijkl1", "no symbol"],
    ["Abcdefghi jk1", "a space is no symbol"],
    ["correct horse battery staple", "four words"],
    ["again again again again again again", "the same word"],
    ["a b c d e f g h i j k l m n", "letters are no words"],
  ])("%s: too weak (%s)", (text) => {
    expect(() => check(text)).toThrow(
      expect.objectContaining({
        code: "PASSWORD_TOO_WEAK",
        meta: { reason: "password_too_weak", min_length: 12 },
      }),
    );
  });

  it("are UTF-8 of at most 1,024 bytes", () => {
    const refused = expect.objectContaining({ code: "INVALID_ARGUMENT" });
    expect(() => checkNewPassword(Uint8Array.of(0xff, 0xfe))).toThrow(refused);
    expect(() => check(`Aa1!${"x".repeat(1020)}`)).not.toThrow();
    expect(() => check(`Aa1!${"x".repeat(1021)}`)).toThrow(refused);
  });
});
