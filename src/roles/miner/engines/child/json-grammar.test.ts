import { describe, expect, it } from "vitest";
import { JsonGrammar } from "./json-grammar.ts";

const write = (schema: unknown): string => new JsonGrammar().schema(schema);
const OBJECT = { type: "object" };

describe("a grammar of a JSON Schema", () => {
  it.each([
    [true, "value"],
    [{}, "value"],
    [{ type: "boolean", title: "yes?" }, "boolean"],
    [{ type: ["string", "null"] }, "(string | null)"],
    [{ type: "integer", minimum: 0 }, "natural"],
    [{ type: "integer", minimum: Number.MIN_SAFE_INTEGER, maximum: Number.MAX_SAFE_INTEGER }, "integer"],
    [{ minLength: 1 }, '"\\"" char{1,} "\\""'],
    [{ type: "string", maxLength: 1e6 }, '"\\"" char{0,512} "\\""'],
    [{ enum: ['a"b', 1, null] }, '("\\"a\\\\\\"b\\"" | "1" | "null")'],
    [{ type: "integer", enum: ["a", 1] }, '"1"'],
    [{ const: { a: [] } }, '"{\\"a\\":[]}"'],
    [OBJECT, "object"],
    [{ ...OBJECT, additionalProperties: false }, '"{}"'],
    [{ type: "array", maxItems: 0 }, '"[]"'],
    [{ anyOf: [{ type: "null" }, { const: 2 }] }, '(null | "2")'],
    [{ oneOf: [{ type: "null" }, { type: "string" }] }, "(null | string)"],
    [{ allOf: [{ type: "null" }], description: "alone" }, "null"],
  ])("of %j is %s", (schema, expected) => {
    expect(write(schema)).toBe(expected);
  });

  it("writes a schema that speaks of itself once", () => {
    const grammar = new JsonGrammar();
    const node = { ...OBJECT, properties: { next: { $ref: "#/$defs/node" } } };
    const root = grammar.schema({ $ref: "#/$defs/node", $defs: { node } });
    expect(grammar.text(root)).toContain(`${root} ::= "{" ("\\"next\\"" ":" ws ${root} )? "}"`);
  });

  it.each([
    ["pattern", { type: "string", pattern: "a+" }],
    ["format", { type: "string", format: "email" }],
    ["maximum", { type: "integer", maximum: 5 }],
    ["minimum", { type: "number", minimum: 1 }],
    ["multipleOf", { type: "number", multipleOf: 2 }],
    ["uniqueItems", { type: "array", uniqueItems: true }],
    ["patternProperties", { ...OBJECT, patternProperties: {} }],
    ["not", { not: {} }],
    ["wings", { type: "string", wings: 2 }],
    ["required", { anyOf: [{}], required: ["a"] }],
    ["required", { ...OBJECT, required: ["a"], additionalProperties: false }],
    ["allOf", { allOf: [{}, {}] }],
    ["oneOf", { oneOf: [{ type: "integer" }, { type: "number" }] }],
    ["enum", { type: "string", enum: [1] }],
    ["type", { type: "text" }],
    ["minItems", { type: "array", minItems: 513 }],
    ["maxLength", { type: "string", minLength: 2, maxLength: 1 }],
    ["$ref", { $ref: "https://example.com/schema" }],
    ["$ref", { $ref: "#/$defs/none" }],
    ["false", { ...OBJECT, properties: { a: false } }],
  ])("names %s, which it cannot promise", (keyword, schema) => {
    const refusal = expect.objectContaining({ code: "INVALID_PAYLOAD", meta: { keyword } });
    expect(() => write(schema)).toThrow(refusal);
  });

  it("takes apart what a required constant tells apart, and bounds depth and size", () => {
    const kind = (name: string): object => ({
      ...OBJECT,
      properties: { kind: { const: name } },
      required: ["kind"],
    });
    expect(write({ oneOf: [kind("a"), kind("b")] })).toContain(" | ");
    expect(() => write({ oneOf: [kind("a"), kind("a")] })).toThrow("oneOf");
    let deep: unknown = { type: "null" };
    for (let depth = 0; depth < 100; depth++) deep = { type: "array", items: deep };
    expect(() => write(deep)).toThrow("deep");
    const properties = Object.fromEntries(
      Array.from({ length: 5000 }, (_, n) => [`p${n}`, { type: "null" }]),
    );
    expect(() => write({ ...OBJECT, properties })).toThrow("rules");
  });
});
