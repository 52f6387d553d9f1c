import { describe, expect, it } from "vitest";
import { fillTemplate, templateVariables } from "./template.ts";

describe("a template", () => {
  it("names its variables once, in order", () => {
    expect(templateVariables(["{{b}} {{ a }} {{b}}", "{{c_1}} {{1x}} { {d} }"])).toEqual(["b", "a", "c_1"]);
  });

  it("is filled in once: a value is no template", () => {
    expect(fillTemplate(["{{a}}-{{b}}", "x"], { a: "{{b}}", b: "$&" }, 100)).toEqual(["{{b}}-$&", "x"]);
  });

  it.each([
    [{}, "/variables/a"],
    [{ a: "1", z: "2" }, "/variables/z"],
    [{ toString: "2" } as never, "/variables/a"],
  ])("refuses %j", (values, pointer) => {
    expect(() => fillTemplate(["{{a}}"], values, 100)).toThrow(pointer);
  });

  it("does not grow without bound", () => {
    expect(() => fillTemplate(["{{a}}{{a}}"], { a: "x".repeat(60) }, 100)).toThrow("longer than 100");
    expect(fillTemplate(["{{a}}{{a}}"], { a: "x".repeat(50) }, 100)[0]).toHaveLength(100);
  });
});
