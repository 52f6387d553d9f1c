import { describe, expect, it } from "vitest";
import { canonicalizeLegacy, parseJsonLexemes } from "./legacy-json.ts";

const legacy = (text: string): string => canonicalizeLegacy(parseJsonLexemes(text));

describe("canonicalizeLegacy", () => {
  // Expected texts are those of Python's json.dumps(sort_keys=True, separators=(",", ":")).
  it.each([
    ['{ "b": 4.20, "a": [1.0, 1e3, null], "c": null }', '{"a":[1.0,1e3,null],"b":4.20}'],
    ['{"a":{"b":null}}', '{"a":{}}'],
    ['"é\\u20ac😀"', '"\\u00e9\\u20ac\\ud83d\\ude00"'],
    ['"\\u007f\\n\\u001f\\"\\\\/"', '"\\u007f\\n\\u001f\\"\\\\/"'],
    ['{"\uffee":1,"😀":2,"a":3}', '{"a":3,"\\uffee":1,"\\ud83d\\ude00":2}'],
    ['{"ab":1,"a":2,"":true}', '{"":true,"a":2,"ab":1}'],
  ])("writes %s", (text, expected) => {
    expect(legacy(text)).toBe(expected);
  });
});
