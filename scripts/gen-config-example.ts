/**
 * Writes aitbc.config.example.json: every setting that has a default, with that default. `--check` fails when
 * the file is stale.
 */
import { exampleConfig } from "../src/config/example.ts";
import { writeOrCheck } from "./lib/generated.ts";

/** Lists of plain values on one line, as the formatter has them. */
const PLAIN_LIST = /\[\s+((?:"(?:[^"\\]|\\.)*"|[^[\]{}"])*?)\s+\]/g;

const text = JSON.stringify(exampleConfig(), null, 2).replaceAll(
  PLAIN_LIST,
  (_list, values: string) => `[${values.replaceAll(/\s*\n\s*/g, " ")}]`,
);
writeOrCheck("aitbc.config.example.json", `${text}\n`);
