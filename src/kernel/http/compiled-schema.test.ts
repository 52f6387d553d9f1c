import { describe, expect, it } from "vitest";
import { z } from "zod";
import { AppError } from "../errors.ts";
import { check } from "./body.ts";

/** More checks than a schema needs to be compiled. */
const OFTEN = 600;

const createSchema = () =>
  z.strictObject({
    kind: z.discriminatedUnion("type", [
      z
        .strictObject({ type: z.literal("a"), n: z.int().min(1).default(3), s: z.string().optional() })
        .refine(({ n, s }) => n < 9 || s !== undefined, { path: ["s"], message: "goes with a large n" }),
      z.strictObject({ type: z.literal("b"), list: z.array(z.string().regex(/^x/)).max(2) }),
    ]),
    any: z.record(z.string(), z.any()).optional(),
  });

const VALUES: readonly unknown[] = [
  { kind: { type: "a" } },
  { kind: { type: "a", n: 9, s: "" }, any: { deep: [{ x: null }] } },
  { kind: { type: "a", n: 9 } },
  { kind: { type: "a", n: 1.5 } },
  { kind: { type: "a", s: 1 } },
  { kind: { type: "b", list: ["x", "y"] } },
  { kind: { type: "b", list: ["x", "x", "x"] } },
  { kind: { type: "c" } },
  { kind: { type: "b", list: [], more: 1 } },
  { kind: {}, more: 1 },
  { kind: { type: "a" }, any: [] },
  [],
  null,
];

/** What a check gives: the value, or what the error says. */
function outcomeOf(schema: z.ZodType, value: unknown): unknown {
  try {
    return { value: check(schema, value, "body") };
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    return { code: error.code, message: error.message, meta: error.meta };
  }
}

describe("a schema in use often", () => {
  it("gives the same values and the same errors as a new one", () => {
    const used = createSchema();
    for (let count = 0; count < OFTEN; count++) check(used, { kind: { type: "a" } }, "body");
    for (const value of VALUES) expect(outcomeOf(used, value)).toEqual(outcomeOf(createSchema(), value));
  });

  it("gives values of their own, never the input's objects", () => {
    const used = createSchema();
    const value = { kind: { type: "b" as const, list: ["x"] } };
    for (let count = 0; count < OFTEN; count++) check(used, value, "body");
    const { kind } = check(used, value, "body");
    expect(kind).toEqual(value.kind);
    expect(kind).not.toBe(value.kind);
  });

  it("is compiled: its own parser runs no more", () => {
    const used = createSchema();
    for (let count = 0; count < OFTEN; count++) check(used, { kind: { type: "a" } }, "body");
    // Only the compiled form is run without the runtime parser of the schema itself.
    let runs = 0;
    const { run } = used._zod;
    used._zod.run = (...args) => {
      runs++;
      return run(...args);
    };
    check(used, { kind: { type: "a" } }, "body");
    expect(runs).toBe(0);
  });
});
