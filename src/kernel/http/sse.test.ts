import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseSse, type SseMessage } from "./sse.ts";

async function read(parts: readonly Uint8Array[]): Promise<SseMessage[]> {
  const messages: SseMessage[] = [];
  async function* bytes() {
    yield* parts;
  }
  for await (const message of parseSse(bytes())) messages.push(message);
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

  it("refuses an event without end", async () => {
    const part = encode("x".repeat(1024 * 1024));
    await expect(read(Array.from({ length: 5 }, () => part))).rejects.toMatchObject({
      code: "PROTOCOL_VIOLATION",
    });
  });
});
