import type { Environment } from "../config/paths.ts";
import { canPaint, type Output } from "./io.ts";

const CODES = { bold: [1, 22], dim: [2, 22], red: [31, 39], green: [32, 39], yellow: [33, 39] } as const;
export type Style = keyof typeof CODES;

/** Paints text for an output (ECMA-48 §8.3.117), or leaves it as it is where colours do not belong. */
export function painter(output: Output, env: Environment): (style: Style, text: string) => string {
  if (!canPaint(output, env)) return (_style, text) => text;
  return (style, text) => `\u001b[${CODES[style][0]}m${text}\u001b[${CODES[style][1]}m`;
}
