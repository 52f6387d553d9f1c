import { bech32, bech32m } from "@scure/base";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  ADDRESS_TYPES,
  addressOfKey,
  addressOfModule,
  formatAddress,
  isAddress,
  parseAddress,
} from "./address.ts";
import { sha256 } from "./hash.ts";

const key = new Uint8Array(32).fill(7);

describe("addresses", () => {
  it("are read back, of every type", () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...ADDRESS_TYPES),
        fc.uint8Array({ minLength: 32, maxLength: 32 }),
        (type, bytes) => {
          const hash = type === "key" ? bytes.slice(0, 20) : bytes;
          const address = formatAddress(type, hash);
          expect(address).toMatch(/^ait1[02-9ac-hj-np-z]+$/);
          expect(parseAddress(address)).toEqual({ type, hash });
        },
      ),
    );
  });

  it("of keys hold the first 20 bytes of SHA-256(public key)", () => {
    expect(parseAddress(addressOfKey(key)).hash).toEqual(new Uint8Array(sha256(key).subarray(0, 20)));
  });

  it("of modules are of their own type", () => {
    expect(parseAddress(addressOfModule("treasury")).type).toBe("module");
  });

  it("refuse every change of one character", () => {
    const address = addressOfKey(key);
    for (let index = 4; index < address.length; index++) {
      const other = address[index] === "q" ? "p" : "q";
      expect(isAddress(address.slice(0, index) + other + address.slice(index + 1))).toBe(false);
    }
  });

  it.each([
    ["nothing", ""],
    ["capitals", addressOfKey(key).toUpperCase()],
    ["mixed case", addressOfKey(key).replace("ait", "aIt")],
    ["another prefix", bech32.encodeFromBytes("bc", new Uint8Array(21))],
    ["bech32m", bech32m.encodeFromBytes("ait", new Uint8Array(21))],
    ["an unknown type", bech32.encodeFromBytes("ait", new Uint8Array(21).fill(9, 0, 1))],
    ["a short hash", bech32.encodeFromBytes("ait", new Uint8Array(20))],
    ["a long hash", bech32.encodeFromBytes("ait", new Uint8Array(33))],
    ["no data", bech32.encode("ait", [])],
    ["an API key", "ait_client_abc"],
  ])("refuse %s", (_what, address) => {
    expect(isAddress(address)).toBe(false);
    expect(() => parseAddress(address)).toThrow(expect.objectContaining({ code: "INVALID_ARGUMENT" }));
  });

  it("refuse a key of another length", () => {
    expect(() => addressOfKey(new Uint8Array(33))).toThrow("publicKey: must have 32 bytes");
  });
});
