import { transform } from "esbuild";

/** Names, lines and licences stay: a stack trace can be read as before. */
const KEPT = { legalComments: "inline", target: "node26", logLevel: "warning" } as const;

/** A character that takes two bytes, and then makes every other one of the same text take two. */
const WIDE = /.*[^\0-\xff].*/;

/**
 * A program's text without its comments, an indented line per statement. V8 holds the text for as long as the program
 * runs: its size is memory of every idle daemon.
 * @throws Error for a character beyond Latin-1 that esbuild does not escape: it would double that memory
 */
export async function compactProgram(text: string): Promise<string> {
  // esbuild leaves comments out together with white space alone, so it is printed once more.
  const dense = await transform(text, { ...KEPT, minifyWhitespace: true });
  const { code } = await transform(dense.code, KEPT);
  const [line] = WIDE.exec(code) ?? [];
  if (line === undefined) return code;
  throw new Error(
    `write what is beyond Latin-1 as an escape, it doubles the program's memory: ${line.trim()}`,
  );
}
