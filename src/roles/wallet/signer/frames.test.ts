import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { encodeFrame, FrameReader } from "./frames.ts";

const heads = fc.dictionary(
  fc.string({ unit: "grapheme" }),
  fc.oneof(fc.string(), fc.integer(), fc.boolean()),
  {
    noNullPrototype: true,
  },
);
const frames = fc.array(fc.record({ head: heads, parts: fc.array(fc.uint8Array(), { maxLength: 3 }) }), {
  maxLength: 4,
});

describe("frames", () => {
  it("are read back, however they are cut up on their way", () => {
    fc.assert(
      fc.property(frames, fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1 }), (sent, cuts) => {
        const bytes = Buffer.concat(sent.map((frame) => encodeFrame(frame)));
        const reader = new FrameReader();
        const received = [];
        for (let at = 0, turn = 0; at < bytes.length; turn++) {
          const length = cuts[turn % cuts.length] ?? 1;
          received.push(...reader.push(Buffer.from(bytes.subarray(at, at + length))));
          at += length;
        }
        expect(received).toEqual(
          JSON.parse(JSON.stringify(sent.map(({ head }) => head))).map((head: unknown, index: number) => ({
            head,
            parts: sent[index]?.parts,
          })),
        );
      }),
    );
  });

  it("are refused when they are not what this program writes", () => {
    const refused = expect.objectContaining({ code: "PROTOCOL_VIOLATION" });
    const good = encodeFrame({ head: { a: 1 }, parts: [Uint8Array.of(1, 2, 3)] });
    const write = (change: (frame: Buffer) => void): Buffer => {
      const frame = Buffer.from(good);
      change(frame);
      return frame;
    };
    for (const frame of [
      write((bytes) => bytes.writeUInt32BE(0xffff_ffff, 0)),
      write((bytes) => bytes.writeUInt32BE(3, 0)),
      write((bytes) => bytes.writeUInt32BE(bytes.length, 4)),
      write((bytes) => bytes.writeUInt32BE(2, 4)),
      write((bytes) => bytes.fill(0xff, 8, 12)),
      write((bytes) => bytes.write("9", bytes.indexOf("[3]") + 1)),
      write((bytes) => bytes.write("1", bytes.indexOf("[3]") + 1)),
    ])
      expect(() => new FrameReader().push(frame)).toThrow(refused);
    expect(() => encodeFrame({ head: {}, parts: [new Uint8Array(5 * 1024 * 1024)] })).toThrow(
      expect.objectContaining({ code: "PAYLOAD_TOO_LARGE" }),
    );
  });

  it("leave nothing of themselves in what they arrived in", () => {
    const chunk = encodeFrame({ head: {}, parts: [Buffer.from("secret")] });
    const [frame] = new FrameReader().push(chunk);
    expect(Buffer.from(frame?.parts[0] ?? []).toString()).toBe("secret");
    expect(chunk.every((byte) => byte === 0)).toBe(true);
  });
});
