import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseSse, type SseMessage, SseParser } from "./sse.ts";

async function read(parts: readonly Uint8Array[]): Promise<SseMessage[]> {
  const messages: SseMessage[] = [];
  async function* bytes() {
    yield* parts;
  }
  for await (const message of parseSse(bytes())) messages.push(message);
  return messages;
}

/** What a stream says, found slowly: by the whole text at once, and one expression for all line ends. */
function readSlowly(text: string): SseMessage[] {
  const messages: SseMessage[] = [];
  let fields: [string, string][] = [];
  for (const line of text
    .replace(/^\uFEFF/, "")
    .split(/\r\n|\n|\r/)
    .slice(0, -1)) {
    if (line !== "") {
      const [, field = "", value = ""] = /^([^:]*)(?:: ?(.*))?$/s.exec(line) ?? [];
      fields.push([field, value]);
      continue;
    }
    const all = (name: string) => fields.filter(([field]) => field === name).map(([, value]) => value);
    const data = all("data");
    const id = all("id").findLast((value) => !value.includes("\0"));
    if (data.length > 0)
      messages.push({ event: all("event").at(-1) || "message", data: data.join("\n"), id });
    fields = [];
  }
  return messages;
}

const encode = (text: string): Uint8Array => new TextEncoder().encode(text);

describe("parseSse", () => {
  it.each<[string, string, readonly SseMessage[]]>([
    ["event with id", "event: chunk\nid: 3\ndata: x\n\n", [{ event: "chunk", data: "x", id: "3" }]],
    ["several data lines", "data: a\ndata: b\n\n", [{ event: "message", data: "a\nb", id: undefined }]],
    ["comments", ": beat\n\ndata:x\n\n", [{ event: "message", data: "x", id: undefined }]],
    ["only one space is taken away", "data:  x\n\n", [{ event: "message", data: " x", id: undefined }]],
    ["field without colon", "data\n\n", [{ event: "message", data: "", id: undefined }]],
    [
      "all line ends",
      "data: a\r\n\r\ndata: b\r\rdata: c\n\n",
      ["a", "b", "c"].map((data) => ({ event: "message", data, id: undefined })),
    ],
    [
      "an event that is cut off is dropped",
      "data: a\n\ndata: b\n",
      [{ event: "message", data: "a", id: undefined }],
    ],
    ["byte order mark", "\uFEFFdata: a\n\n", [{ event: "message", data: "a", id: undefined }]],
  ])("%s", async (_name, text, expected) => {
    expect(await read([encode(text)])).toEqual(expected);
  });

  it("reads the same wherever the bytes are cut", async () => {
    const bytes = encode(
      "event: chunk\r\nid: 1\r\ndata: Grüße 🌍\r\n\r\n: beat\n\nevent: end\nid: 2\ndata: {}\n\n",
    );
    const whole = await read([bytes]);
    expect(whole).toHaveLength(2);
    await fc.assert(
      fc.asyncProperty(fc.array(fc.nat(bytes.length), { maxLength: 6 }), async (cuts) => {
        const places = [0, ...cuts.sort((a, b) => a - b), bytes.length];
        const parts = places.slice(1).map((end, index) => bytes.slice(places[index], end));
        expect(await read(parts)).toEqual(whole);
      }),
      { numRuns: 200 },
    );
  });

  it("reads any text as the slow way does, wherever it is cut", async () => {
    const line = fc.constantFrom(
      "data: a",
      "data:b: c",
      "data",
      "event: e",
      "id: 1",
      "id: \0",
      ": beat",
      "x: y",
      "ü",
    );
    const lineEnd = fc.constantFrom("\n", "\r", "\r\n", "\n\n", "\r\r", "\r\n\r\n", "\n\r");
    const stream = fc.tuple(
      fc.constantFrom("", "\uFEFF"),
      fc.array(fc.tuple(line, lineEnd), { maxLength: 12 }),
    );
    await fc.assert(
      fc.asyncProperty(stream, fc.nat(7), async ([mark, lines], most) => {
        const text = mark + lines.flat().join("");
        const bytes = encode(text);
        const step = most + 1;
        const parts = Array.from({ length: Math.ceil(bytes.length / step) }, (_, at) =>
          bytes.slice(at * step, (at + 1) * step),
        );
        expect(await read(parts)).toEqual(readSlowly(text));
      }),
      { numRuns: 500 },
    );
  });

  it("tells an event as soon as its last line has ended, with either character", () => {
    const parser = new SseParser();
    parser.push(encode("data: a\r\n\r"));
    expect(parser.next()?.data).toBe("a");
    parser.push(encode("\ndata: b\r"));
    expect(parser.next()).toBeUndefined();
    parser.push(encode("\r"));
    expect(parser.next()?.data).toBe("b");
  });

  it("keeps what was not taken when the next part comes", () => {
    const parser = new SseParser();
    parser.push(encode("data: a\n\ndata: b\n\nda"));
    expect(parser.next()?.data).toBe("a");
    parser.push(encode("ta: c\n\n"));
    expect([parser.next()?.data, parser.next()?.data, parser.next()]).toEqual(["b", "c", undefined]);
  });

  it("refuses an event without end", async () => {
    const part = encode("x".repeat(1024 * 1024));
    await expect(read(Array.from({ length: 5 }, () => part))).rejects.toMatchObject({
      code: "PROTOCOL_VIOLATION",
    });
  });
});
