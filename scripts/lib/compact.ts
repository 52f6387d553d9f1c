import { transform } from "esbuild";

/** Names, lines and licences stay: a stack trace can be read as before. */
const KEPT = { legalComments: "inline", target: "node26", logLevel: "warning" } as const;

const NOT_ASCII = /[^\0-\x7f]/g;
/** Text in which an escape would not mean the character. */
const RAW = /String\.raw`[^`]*?[^\0-\x7f`][^`]*`/;

/**
 * A program's text in ASCII and without its comments, an indented line per statement. The text stays in memory for as
 * long as the program runs; Node takes it from the executable as it is when it is ASCII, else it keeps copies.
 * @throws Error for a character that cannot be escaped where it stands
 */
export async function compactProgram(text: string): Promise<string> {
  // esbuild leaves comments out together with white space alone, so it is printed once more.
  const dense = await transform(text, { ...KEPT, minifyWhitespace: true });
  const { code } = await transform(dense.code, KEPT);
  const raw = RAW.exec(code);
  if (raw !== null) throw new Error(`the program must be ASCII, and this cannot be escaped: ${raw[0]}`);
  // esbuild has escaped strings and names; in regular expressions an escape means the same.
  return code.replaceAll(NOT_ASCII, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`);
}
