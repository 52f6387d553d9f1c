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

test("the text is ASCII and means the same", async () => {
  const code = await compactProgram("export const found = [...'1µs→😀'.matchAll(/µ|→|😀/gu)].join(`·`);\n");
  expect(code).toMatch(/^[\0-\x7f]*$/);
  const { found } = await import(`data:text/javascript,${encodeURIComponent(code)}`);
  expect(found).toBe("µ·→·😀");
});

test("what cannot be escaped where it stands is refused", async () => {
  await expect(compactProgram("export const a = String.raw`b\n→`;\n")).rejects.toThrow(
    "the program must be ASCII, and this cannot be escaped: String.raw`b\n→`",
  );
});
