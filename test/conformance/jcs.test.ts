import { expect, it } from "vitest";
import { toHex, utf8 } from "../../src/crypto/bytes.ts";
import { type Canonicalizable, canonicalize } from "../../src/crypto/canonical-json.ts";
import { parseJson } from "../../src/kernel/json.ts";
import { describeVectors, readVector } from "./vectors.ts";

/** The files that accompany RFC 8785. */
const FILES = ["arrays", "french", "structures", "unicode", "values", "weird"];

describeVectors("jcs", "RFC 8785 files", () => {
  it.each(FILES)("%s", (name) => {
    const value: Canonicalizable = parseJson(readVector("jcs", "input", `${name}.json`));
    const text = canonicalize(value);
    expect(text).toBe(readVector("jcs", "output", `${name}.json`));
    expect(toHex(utf8(text))).toBe(readVector("jcs", "outhex", `${name}.txt`).replaceAll(/\s/g, ""));
    expect(canonicalize(parseJson(text))).toBe(text);
  });
});
