import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { fromLatin1, toHex } from "./bytes.ts";
import { RunningHash, sha256, sha256Hex, sha256Latin1 } from "./hash.ts";

describe("sha256", () => {
  it("hashes the example of FIPS 180-4", () => {
    const digest = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    expect(sha256Hex("abc")).toBe(digest);
    expect(toHex(sha256(Uint8Array.of(0x61, 0x62, 0x63)))).toBe(digest);
    expect(toHex(fromLatin1(sha256Latin1("abc")))).toBe(digest);
  });
});

describe("RunningHash", () => {
  it("gives the digest of everything so far, after every part", () => {
    fc.assert(
      fc.property(fc.array(fc.string({ unit: "grapheme" })), (parts) => {
        const running = new RunningHash();
        let text = "";
        for (const part of parts) {
          text += part;
          expect(running.update(part).hex()).toBe(sha256Hex(text));
        }
        expect(running.bytes).toBe(new TextEncoder().encode(text).length);
      }),
    );
  });

  it("copies itself", () => {
    const first = new RunningHash().update("a");
    const second = first.copy().update("b");
    expect([first.hex(), first.bytes]).toEqual([sha256Hex("a"), 1]);
    expect([second.hex(), second.bytes]).toEqual([sha256Hex("ab"), 2]);
  });
});
