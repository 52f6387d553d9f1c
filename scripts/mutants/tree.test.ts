import { describe, expect, it } from "vitest";
import { applyEdit } from "./tree.ts";

const edit = { file: "a.ts", find: "b", replace: "$&c" };

describe("an edit", () => {
  it("replaces the one occurrence, word for word", () => {
    expect(applyEdit("abd", edit)).toBe("a$&cd");
  });

  it("is stale when its text is gone or no longer names one place", () => {
    expect(() => applyEdit("ad", edit)).toThrow("stands 0 times in a.ts");
    expect(() => applyEdit("abdb", edit)).toThrow("stands 2 times in a.ts");
  });
});
