import { inspect } from "node:util";
import { describe, expect, it } from "vitest";
import { SecretBytes } from "./secret-bytes.ts";

describe("secret bytes", () => {
  it("do not print or serialise", () => {
    using secret = SecretBytes.fromUtf8("swordfish");
    for (const text of [String(secret), inspect(secret, { depth: 9 }), JSON.stringify({ secret })]) {
      expect(text).toContain("[secret bytes]");
      expect(text).not.toContain("swordfish");
    }
  });

  it("are zeros once disposed of, and cannot be used by mistake", () => {
    const secret = SecretBytes.fromUtf8("é");
    const { bytes } = secret;
    expect([...bytes]).toEqual([0xc3, 0xa9]);
    const copy = secret.copy();
    secret[Symbol.dispose]();
    expect([...bytes]).toEqual([0, 0]);
    expect(() => secret.bytes).toThrow(expect.objectContaining({ code: "INTERNAL" }));
    expect(copy.bytes).toEqual(Uint8Array.of(0xc3, 0xa9));
  });
});
