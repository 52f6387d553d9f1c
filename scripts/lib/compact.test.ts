import { expect, test } from "vitest";
import { compactProgram } from "./compact.ts";

test("comments go, names and lines and licences stay", async () => {
  const source = `class Word {
  /** Says it → twice. */
  say(word) {
    return word + word;
  }
}
/*! Copyright somebody */
export { Word };
`;
  expect(await compactProgram(source)).toBe(source.replace(/ *\/\*\* .*\n/, ""));
});

test("strings are escaped, and a pattern keeps the text that others read of it", async () => {
  const code = await compactProgram('export const arrow = "→", { source } = /µ/;\n');
  expect(code).toMatch(/^[\0-\xff]*$/);
  const program = await import(`data:text/javascript,${encodeURIComponent(code)}`);
  expect(program).toMatchObject({ arrow: "→", source: "µ" });
});

test("what would double the program's memory is refused, with its line", async () => {
  await expect(compactProgram("export const a = 1;\nexport const b = /→+/;\n")).rejects.toThrow(
    "it doubles the program's memory: export const b = /→+/;",
  );
});
