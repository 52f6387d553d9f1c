import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { readLines } from "./lines.ts";

async function* cut(bytes: Uint8Array, sizes: readonly number[]): AsyncGenerator<Uint8Array> {
  // The same buffer again and again, as a source may do.
  const reused = new Uint8Array(bytes.length + 1);
  let at = 0;
  for (let turn = 0; at < bytes.length; turn++) {
    const part = bytes.subarray(at, at + (sizes[turn % sizes.length] ?? 1));
    reused.set(part);
    yield reused.subarray(0, part.length);
    at += part.length;
  }
}

async function readAll(text: string, sizes: readonly number[] = [7], maxBytes?: number) {
  const bytes = Buffer.from(text);
  const lines = [];
  for await (const line of readLines(cut(bytes, sizes), maxBytes)) {
    lines.push({ ...line, bytes: line.bytes && Buffer.from(line.bytes).toString() });
  }
  return lines;
}

describe("lines of a file", () => {
  it("are the same whatever pieces it comes in, and lie where they say", async () => {
    const text = fc.array(fc.constantFrom("a", "é", "\n", "\r\n", "{}", "\uFEFF"), { maxLength: 40 });
    await fc.assert(
      fc.asyncProperty(
        text,
        fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1 }),
        async (parts, sizes) => {
          const whole = parts.join("");
          const lines = await readAll(whole, sizes);
          expect(lines).toEqual(await readAll(whole, [1_000]));
          const bytes = Buffer.from(whole);
          for (const line of lines) {
            expect(bytes.subarray(line.start, line.end).toString()).toBe(line.bytes);
          }
          const expected = whole
            .replace(/^\uFEFF/, "")
            .replace(/\n$/, "")
            .split("\n");
          const isEmpty = whole === "";
          expect(lines.map((line) => line.bytes)).toEqual(
            isEmpty ? [] : expected.map((line) => line.replace(/\r$/, "")),
          );
        },
      ),
    );
  });

  it("that are too long are passed over, and nothing of them is kept", async () => {
    const lines = await readAll("1234\n12345\n1\n", [2], 4);
    expect(lines.map(({ number, bytes }) => [number, bytes])).toEqual([
      [1, "1234"],
      [2, undefined],
      [3, "1"],
    ]);
  });
});
