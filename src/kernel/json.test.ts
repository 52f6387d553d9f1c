import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { AppError } from "./errors.ts";
import { JsonNumber, MAX_JSON_DEPTH, parseJson, parseJsonLexemes, toJsonPointer } from "./json.ts";

function refusal(text: string, parse: (text: string) => unknown = parseJson): AppError {
  try {
    parse(text);
  } catch (error) {
    if (error instanceof AppError) return error;
    throw error;
  }
  throw new Error(`accepted: ${text.slice(0, 80)}`);
}

/** Text that is parsed, or "refused" where the parser throws. */
function outcome(text: string, parse: (text: string) => unknown): unknown {
  try {
    return { value: parse(text) };
  } catch {
    return "refused";
  }
}

describe("parseJson", () => {
  it("agrees with JSON.parse on every JSON text", () => {
    fc.assert(
      fc.property(fc.json({ stringUnit: "binary" }), fc.constantFrom(0, 1, "\t"), (json, indent) => {
        const text = JSON.stringify(JSON.parse(json), null, indent);
        const expected: unknown = JSON.parse(text);
        if (text.includes('"__proto__":')) return;
        expect(parseJson(text)).toStrictEqual(expected);
      }),
      { numRuns: 500 },
    );
  });

  it("accepts and refuses the same texts as JSON.parse when one character is changed", () => {
    const edit = fc.record({
      json: fc.json({ maxDepth: 3 }),
      at: fc.nat(),
      put: fc.constantFrom(...'{}[]",:\\ue0-+.1tfn \n/\u0001'),
      cut: fc.nat(2),
    });
    fc.assert(
      fc.property(edit, ({ json, at, put, cut }) => {
        const position = at % (json.length + 1);
        const text = json.slice(0, position) + put + json.slice(position + cut);
        const ours = outcome(text, parseJson);
        if (ours !== "refused") expect(ours).toStrictEqual(outcome(text, JSON.parse));
        else if (outcome(text, JSON.parse) !== "refused") {
          // Only what this parser refuses on purpose may be well-formed JSON.
          expect(refusal(text).code).toBe("INVALID_PAYLOAD");
        }
      }),
      { numRuns: 3000 },
    );
  });

  it.each([
    "0",
    "-0",
    "1",
    "-1",
    "123456789012345",
    "1234567890123456",
    "9007199254740993",
    "1.5",
    "-0.0",
    "1e5",
    "1E+5",
    "1e-400",
    "4.35",
    "0.1",
    "1e23",
    "-12.5e-3",
    "18446744073709551616",
  ])("reads the number %s as JSON.parse does", (text) => {
    expect(Object.is(parseJson(text), JSON.parse(text))).toBe(true);
  });

  it.each([
    "",
    " ",
    "{",
    "}",
    "[",
    "[1",
    "[1,",
    "[1,]",
    '{"a"}',
    '{"a":}',
    '{"a":1',
    '{"a":1,}',
    "{a:1}",
    "{'a':1}",
    "01",
    "-01",
    "-",
    "+1",
    ".5",
    "1.",
    "1.e5",
    "1e",
    "1e+",
    "0x1",
    "NaN",
    "Infinity",
    "-Infinity",
    "tru",
    "nulll",
    "undefined",
    "1 2",
    '"a',
    '"\\x"',
    '"\\u12"',
    '"\\u12g4"',
    '"\t"',
    '"\n"',
    "\ufeff1",
    "[1]x",
    '{"a":1 "b":2}',
    "/**/1",
    '"\\',
    '"\\ud800\\u12"',
    "\u00a01",
  ])("refuses %j as malformed, as JSON.parse does", (text) => {
    expect(outcome(text, JSON.parse)).toBe("refused");
    expect(refusal(text).code).toBe("MALFORMED_JSON");
  });

  it.each([
    ['{"a":1,"b":2,"a":3}', "/a", 13],
    ['{"x":[{"a":1,"\\u0061":3}]}', "/x/0/a", 13],
    ['{"toString":1,"toString":1}', "/toString", 14],
    ['{"0":1,"0":1}', "/0", 7],
    ['{"a/b~":{"__proto__":{}}}', "/a~1b~0/__proto__", 9],
    ['{"\\u005f_proto__":1}', "/__proto__", 1],
    ['{"a":["\\ud800"]}', "/a/0", 7],
    ['["\\udc00\\ud800"]', "/0", 2],
    ['["\\ud800\\ud800"]', "/0", 2],
    ['["\\ud800x"]', "/0", 2],
    ['{"a":"\ud800"}', "/a", 6],
    ['{"a":"\udc00"}', "/a", 6],
    ['{"a":1,"\udc00":1}', "", 8],
    ['{"a":1e400}', "/a", 5],
    ["[0,-1e309]", "/1", 3],
    [`[1${"0".repeat(400)}]`, "/0", 1],
  ])("refuses %j with a pointer to the member", (text, pointer, offset) => {
    const error = refusal(text);
    expect(error.code).toBe("INVALID_PAYLOAD");
    expect(error.meta).toEqual({ pointer, offset });
  });

  it("keeps a member named like one of Object.prototype", () => {
    expect(Object.keys(parseJson('{"constructor":1,"hasOwnProperty":2}') as object)).toHaveLength(2);
  });

  it("accepts the deepest allowed nesting and refuses one level more", () => {
    const nested = (levels: number): string => "[".repeat(levels) + "]".repeat(levels);
    expect(parseJson(nested(MAX_JSON_DEPTH))).toBeDefined();
    expect(refusal(nested(MAX_JSON_DEPTH + 1)).code).toBe("INVALID_PAYLOAD");
    expect(refusal('{"a":{"b":{"c":1}}}', (text) => parseJson(text, { maxDepth: 2 })).meta["pointer"]).toBe(
      "/a/b",
    );
    expect(refusal("[".repeat(1_000_000)).code).toBe("INVALID_PAYLOAD");
  });

  it("counts its limit in bytes of UTF-8", () => {
    expect(parseJson('"éé"', { maxBytes: 6 })).toBe("éé");
    expect(refusal('"éé"', (text) => parseJson(text, { maxBytes: 5 })).code).toBe("PAYLOAD_TOO_LARGE");
  });

  it("names the place of a syntax error", () => {
    expect(refusal('{"a":{"b":[1,x]}}').meta).toEqual({ pointer: "/a/b/1", offset: 13 });
  });

  it("bounds what an error repeats of the text", () => {
    const error = refusal(`{"${"k".repeat(10_000)}":x}`);
    expect(error.message.length).toBeLessThan(400);
  });
});

describe("parseJsonLexemes", () => {
  it("keeps the spelling of numbers", () => {
    expect(parseJsonLexemes('{"a":[1.0,-0,1e3,42],"b":"1.0"}')).toEqual({
      a: [new JsonNumber("1.0"), new JsonNumber("-0"), new JsonNumber("1e3"), new JsonNumber("42")],
      b: "1.0",
    });
  });

  it("refuses what parseJson refuses", () => {
    expect(refusal('{"a":1,"a":1}', parseJsonLexemes).code).toBe("INVALID_PAYLOAD");
    expect(refusal("1e400", parseJsonLexemes).code).toBe("INVALID_PAYLOAD");
  });
});

describe("toJsonPointer", () => {
  it("escapes ~ and / (RFC 6901 §3)", () => {
    expect(toJsonPointer([])).toBe("");
    expect(toJsonPointer(["a/b", "m~n", 0])).toBe("/a~1b/m~0n/0");
  });
});
