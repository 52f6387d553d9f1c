import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Canonicalizable, canonicalize, canonicalizeSigned, parseCanonical } from "./canonical-json.ts";

const refused = (pointer: string) => expect.objectContaining({ code: "INVALID_PAYLOAD", meta: { pointer } });

const printable = fc.string({ unit: "grapheme-ascii" }).filter((text) => text !== "__proto__");
/** Values that a signed document may hold. */
const signed = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 4 },
    printable,
    fc.boolean(),
    fc.maxSafeInteger(),
    fc.array(tie("value"), { maxLength: 4 }),
    fc.dictionary(printable, tie("value"), { maxKeys: 4, noNullPrototype: true }),
  ),
})).value as fc.Arbitrary<Canonicalizable>;

describe("canonicalize", () => {
  it("writes numbers as ECMAScript does and sorts members by UTF-16 units", () => {
    expect(canonicalize({ "\ufb33": 1, "\u{1f600}": 2, b: [1e21, -0, 4.5, 1e-7], a: { "": null } })).toBe(
      '{"a":{"":null},"b":[1e+21,0,4.5,1e-7],"\u{1f600}":2,"\ufb33":1}',
    );
  });

  it("is a fixed point and keeps the value", () => {
    fc.assert(
      fc.property(fc.jsonValue({ stringUnit: "binary" }), (value) => {
        const text = canonicalize(value as Canonicalizable);
        const back = JSON.parse(text) as Canonicalizable;
        expect(canonicalize(back)).toBe(text);
        expect(back).toEqual(JSON.parse(JSON.stringify(value)));
      }),
    );
  });

  it("refuses what JSON cannot hold, with a pointer", () => {
    expect(() => canonicalize({ a: [Number.NaN] })).toThrow(refused("/a/0"));
    expect(() => canonicalize({ a: "\ud800" })).toThrow(refused("/a"));
    expect(() => canonicalize({ a: new Date() as never })).toThrow(refused("/a"));
    expect(() => canonicalize({ a: 1n as never })).toThrow(refused("/a"));
    expect(() => canonicalize([undefined])).toThrow(refused("/0"));
  });
});

describe("canonicalizeSigned", () => {
  it("equals RFC 8785 on what it accepts", () => {
    fc.assert(
      fc.property(signed, (value) => {
        expect(canonicalizeSigned(value)).toBe(canonicalize(value));
      }),
    );
  });

  it("leaves out members that are null or undefined, at every depth", () => {
    expect(canonicalizeSigned({ b: null, a: { c: undefined, d: [{ e: null }] } })).toBe('{"a":{"d":[{}]}}');
  });

  it.each<[string, Canonicalizable]>([
    ["/a", { a: 1.5 }],
    ["/a", { a: 2 ** 53 }],
    ["/a/0", { a: [null] }],
    ["/a", { a: "é" }],
    ["/a", { a: "\n" }],
    ["/a", { a: "\x7f" }],
    ["/é", { é: 1 }],
    ["", null],
  ])("refuses what stands at %j", (pointer, value) => {
    expect(() => canonicalizeSigned(value)).toThrow(refused(pointer));
  });

  it("accepts the largest whole numbers", () => {
    expect(canonicalizeSigned([2 ** 53 - 1, -(2 ** 53 - 1)])).toBe("[9007199254740991,-9007199254740991]");
  });
});

describe("parseCanonical", () => {
  it("reads what canonicalizeSigned wrote", () => {
    fc.assert(
      fc.property(signed, (value) => {
        const text = canonicalizeSigned(value);
        expect(canonicalizeSigned(parseCanonical(text))).toBe(text);
      }),
    );
  });

  it.each([
    '{"a": 1}',
    '{"b":1,"a":2}',
    '{"a":1.0}',
    '{"a":1e2}',
    '{"a":-0}',
    '{"a":null}',
    '{"a":"\\u0061"}',
    '{"a":"\\/"}',
    ' {"a":1}',
  ])("refuses the spelling %s", (text) => {
    expect(() => parseCanonical(text)).toThrow(refused(""));
  });
});
