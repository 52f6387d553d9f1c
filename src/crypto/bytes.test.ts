import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  checkLength,
  concatBytes,
  equalBytes,
  fromBase64Url,
  fromHex,
  fromLatin1,
  fromUtf8,
  toBase64Url,
  toHex,
  toLatin1,
  utf8,
  utf8Length,
} from "./bytes.ts";
import { SecretKey, sign, signAsync } from "./ed25519.ts";
import { sha256 } from "./hash.ts";

const refused = expect.objectContaining({ code: "INVALID_ARGUMENT" });

describe("bytes", () => {
  it("survive hex, base64url and Latin-1", () => {
    fc.assert(
      fc.property(fc.uint8Array(), (bytes) => {
        expect(fromHex("x", toHex(bytes))).toEqual(bytes);
        expect(fromBase64Url("x", toBase64Url(bytes))).toEqual(bytes);
        expect(fromLatin1(toLatin1(bytes))).toEqual(bytes);
      }),
    );
    expect(toLatin1(Uint8Array.of(0, 0x41, 0xff))).toBe("\0A\u00ff");
  });

  it.each(["0", "0g", "AB", "00 ", "0x00"])("refuse %j as hex", (hex) => {
    expect(() => fromHex("x", hex)).toThrow(refused);
  });

  it.each(["A", "AA==", "AB", "A+A", "A/A", "AA A", "AA\n", "é"])("refuse %j as base64url", (text) => {
    expect(() => fromBase64Url("x", text)).toThrow(refused);
  });

  it("name the argument of a wrong length", () => {
    expect(() => fromHex("public_key", "00", 32)).toThrow("public_key: must have 32 bytes, has 1");
    expect(() => fromBase64Url("sig", "AA", 64)).toThrow("sig: must have 64 bytes, has 1");
    // A caller without types passes anything.
    expect(() => checkLength("key", "x".repeat(32) as unknown as Uint8Array, 32)).toThrow(
      "key: must be bytes",
    );
  });

  it("are counted and read as UTF-8", () => {
    expect(utf8Length("aé€😀")).toBe(10);
    expect(fromUtf8("x", utf8("\ufeffaé€😀"))).toBe("\ufeffaé€😀");
    expect(() => fromUtf8("x", Uint8Array.of(0xff))).toThrow(refused);
  });

  it("are never a Buffer, whose slice shares memory", async () => {
    const secretKey = new SecretKey(Buffer.alloc(32, 7));
    const made = [
      fromHex("x", "00"),
      fromBase64Url("x", "AA"),
      utf8("x"),
      concatBytes(Uint8Array.of(1)),
      sha256("x"),
      sign(utf8("x"), secretKey),
      await signAsync(utf8("x"), secretKey),
      secretKey.publicKey,
      secretKey.exportBytes(),
    ];
    for (const bytes of made) expect(Object.getPrototypeOf(bytes)).toBe(Uint8Array.prototype);
  });

  it("are joined and compared", () => {
    expect(equalBytes(concatBytes(Uint8Array.of(1), Uint8Array.of(2, 3)), Uint8Array.of(1, 2, 3))).toBe(true);
    expect(equalBytes(Uint8Array.of(1), Uint8Array.of(1, 2))).toBe(false);
  });
});
