import { bech32, bech32m } from "@scure/base";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  ADDRESS_TYPES,
  addressOfKey,
  addressOfModule,
  addressOfMultisig,
  formatAddress,
  isAddress,
  MAX_MULTISIG_SIGNERS,
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

  it("of multisig accounts hold the hash of threshold and signer set, in any order of the signers", () => {
    const [a, b, c] = [3, 1, 2].map((byte) => new Uint8Array(32).fill(byte)) as [
      Uint8Array,
      Uint8Array,
      Uint8Array,
    ];
    const preimage = Buffer.concat([Buffer.from("aitbc/multisig/v1\0"), Buffer.from([2, 3]), b, c, a]);
    const address = addressOfMultisig({ threshold: 2, signers: [a, b, c] });
    expect(parseAddress(address)).toEqual({ type: "multisig", hash: sha256(preimage) });
    expect(addressOfMultisig({ threshold: 2, signers: [c, a, b] })).toBe(address);
    expect(addressOfMultisig({ threshold: 3, signers: [a, b, c] })).not.toBe(address);
    expect(addressOfMultisig({ threshold: 2, signers: [a, b] })).not.toBe(address);
  });

  it("of multisig accounts need 1 to 16 different signers and a threshold within them", () => {
    const keys = (count: number): Uint8Array[] =>
      Array.from({ length: count }, (_, index) => new Uint8Array(32).fill(index));
    expect(isAddress(addressOfMultisig({ threshold: 16, signers: keys(MAX_MULTISIG_SIGNERS) }))).toBe(true);
    for (const policy of [
      { threshold: 0, signers: keys(2) },
      { threshold: 3, signers: keys(2) },
      { threshold: 1.5, signers: keys(2) },
      { threshold: 1, signers: [] },
      { threshold: 1, signers: keys(MAX_MULTISIG_SIGNERS + 1) },
      { threshold: 1, signers: [key, key] },
      { threshold: 1, signers: [key.subarray(1)] },
    ])
      expect(() => addressOfMultisig(policy)).toThrow(expect.objectContaining({ code: "INVALID_ARGUMENT" }));
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
