import { inspect } from "node:util";
import { ed25519 } from "@noble/curves/ed25519.js";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  craftMixed,
  littleEndian,
  ORDER,
  PRIME,
  readNumber,
  sha512,
  torsionPoints,
} from "../../test/harness/mixed-order.ts";
import { concatBytes, fromHex, toHex, utf8 } from "./bytes.ts";
import {
  generateKeyPair,
  isAcceptablePublicKey,
  publicKeyOf,
  SecretKey,
  sign,
  signAsync,
  verify,
  verifyAsync,
} from "./ed25519.ts";
import { verifyWithPoints } from "./ed25519-browser.ts";
import { isAdmissible, isSmallOrder, SMALL_ORDER_ENCODINGS } from "./small-order.ts";

describe("small-order encodings", () => {
  it("are all that a decoder reads as one of the eight points, and no more", () => {
    const found = new Set<string>();
    for (const point of torsionPoints()) {
      const { y } = point.toAffine();
      // A decoder masks the sign bit away and reduces: y and y + p, where it fits in 255 bits, with both signs.
      for (const value of [y, y + PRIME].filter((each) => each < 2n ** 255n)) {
        for (const bit of [0n, 1n]) {
          const bytes = littleEndian(value + (bit << 255n));
          found.add(toHex(bytes));
        }
      }
    }
    expect([...found].sort()).toEqual([...SMALL_ORDER_ENCODINGS].sort());
    expect(found.size).toBe(14);
  });

  it("are inadmissible as public key and as R, of exact lengths alone", () => {
    const { publicKey } = generateKeyPair();
    const signature = concatBytes(publicKey, new Uint8Array(32));
    expect(isAdmissible(signature, publicKey)).toBe(true);
    expect(isAdmissible(signature.subarray(1), publicKey)).toBe(false);
    expect(isAdmissible(signature, publicKey.subarray(1))).toBe(false);
    for (const hex of SMALL_ORDER_ENCODINGS) {
      const point = fromHex("point", hex);
      expect(isAdmissible(signature, point)).toBe(false);
      expect(isAdmissible(concatBytes(point, new Uint8Array(32)), publicKey)).toBe(false);
    }
  });

  it("are recognised at an offset", () => {
    for (const hex of SMALL_ORDER_ENCODINGS) {
      expect(isSmallOrder(concatBytes(Uint8Array.of(9), fromHex("hex", hex)), 1)).toBe(true);
    }
    expect(isSmallOrder(generateKeyPair().publicKey)).toBe(false);
  });
});

describe("ed25519", () => {
  // RFC 8032 §7.1, test 2.
  const seed = "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb";
  const key = new SecretKey(fromHex("seed", seed));

  it("signs the example of RFC 8032", () => {
    expect(toHex(publicKeyOf(key))).toBe("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c");
    expect(toHex(sign(Uint8Array.of(0x72), key))).toBe(
      "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
    );
  });

  it("agrees with noble on keys and signatures, and both rules accept them", () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 32, maxLength: 32 }), fc.uint8Array(), (bytes, message) => {
        const secretKey = new SecretKey(bytes);
        expect(publicKeyOf(secretKey)).toEqual(ed25519.getPublicKey(bytes));
        const signature = sign(message, secretKey);
        expect(new Uint8Array(signature)).toEqual(ed25519.sign(message, bytes));
        expect(verify(signature, message, secretKey.publicKey)).toBe(true);
        expect(verifyWithPoints(signature, message, secretKey.publicKey, sha512)).toBe(true);
      }),
      { numRuns: 20 },
    );
  });

  it("does the same on a thread", async () => {
    const message = utf8("hello");
    const signature = await signAsync(message, key);
    expect(signature).toEqual(sign(message, key));
    expect(await verifyAsync(signature, message, key.publicKey)).toBe(true);
    expect(await verifyAsync(signature, utf8("other"), key.publicKey)).toBe(false);
    expect(await verifyAsync(signature.subarray(1), message, key.publicKey)).toBe(false);
  });

  it("refuses every length but the exact one, without an error", () => {
    const message = utf8("hello");
    const signature = sign(message, key);
    for (const length of [0, 31, 33, 64]) {
      expect(verify(signature, message, new Uint8Array(length))).toBe(false);
      expect(verifyWithPoints(signature, message, new Uint8Array(length), sha512)).toBe(false);
    }
    for (const other of [signature.subarray(0, 63), concatBytes(signature, Uint8Array.of(0))]) {
      expect(verify(other, message, key.publicKey)).toBe(false);
      expect(verifyWithPoints(other, message, key.publicKey, sha512)).toBe(false);
    }
    expect(() => new SecretKey(new Uint8Array(31))).toThrow("secretKey: must have 32 bytes");
  });

  it("refuses the 14 encodings as public key and as R, also where the equation holds", () => {
    const message = utf8("anything");
    for (const hex of SMALL_ORDER_ENCODINGS) {
      const point = fromHex("point", hex);
      // R = A = neutral point and S = 0 satisfies the equation for every message under a plain verifier.
      const forged = concatBytes(point, new Uint8Array(32));
      expect(verify(forged, message, point)).toBe(false);
      expect(verifyWithPoints(forged, message, point, sha512)).toBe(false);
      expect(isAcceptablePublicKey(point)).toBe(false);
      // As R alone, under an honest key: S = k·a makes R = neutral point fit.
      const honest = ed25519.utils.getExtendedPublicKey(key.exportBytes());
      const k = readNumber(sha512(concatBytes(point, key.publicKey, message))) % ORDER;
      const fitting = concatBytes(point, littleEndian((k * honest.scalar) % ORDER));
      expect(verify(fitting, message, key.publicKey)).toBe(false);
      expect(verifyWithPoints(fitting, message, key.publicKey, sha512)).toBe(false);
    }
  });

  it("refuses them as public key under an honest R, where one signature fits every message", () => {
    const honest = ed25519.utils.getExtendedPublicKey(key.exportBytes());
    // Under the neutral point [S]B − [k]A is [S]B, whatever the message.
    const forged = concatBytes(key.publicKey, littleEndian(honest.scalar % ORDER));
    for (const hex of SMALL_ORDER_ENCODINGS) {
      const point = fromHex("point", hex);
      for (const message of [utf8("one"), utf8("two")]) {
        expect(verify(forged, message, point)).toBe(false);
        expect(verifyWithPoints(forged, message, point, sha512)).toBe(false);
      }
    }
  });

  it("judges keys and R of mixed order as the cofactorless equation does, in both implementations", () => {
    const torsion = torsionPoints();
    const counts = { accepted: 0, refused: 0 };
    for (const [i, torsionA] of torsion.entries()) {
      for (const [j, torsionR] of torsion.entries()) {
        const message = utf8(`mixed ${i} ${j}`);
        const { publicKey, signature, cofactorless } = craftMixed(
          12345n + BigInt(i),
          777n + BigInt(j),
          torsionA,
          torsionR,
          message,
        );
        expect(verify(signature, message, publicKey)).toBe(cofactorless);
        expect(verifyWithPoints(signature, message, publicKey, sha512)).toBe(cofactorless);
        counts[cofactorless ? "accepted" : "refused"]++;
      }
    }
    expect(counts.accepted).toBeGreaterThan(0);
    expect(counts.refused).toBeGreaterThan(40);
  });

  it("refuses S + L", () => {
    const message = utf8("hello");
    const signature = sign(message, key);
    const s = readNumber(signature.subarray(32));
    const malleable = concatBytes(signature.subarray(0, 32), littleEndian(s + ORDER));
    expect(verify(malleable, message, key.publicKey)).toBe(false);
    expect(verifyWithPoints(malleable, message, key.publicKey, sha512)).toBe(false);
  });

  it("keeps working when more keys are used than are cached", () => {
    const message = utf8("hello");
    const signature = sign(message, key);
    for (let i = 0; i < 1100; i++) {
      const other = littleEndian(BigInt(i + 2));
      expect(verify(signature, message, other)).toBe(false);
    }
    expect(verify(signature, message, key.publicKey)).toBe(true);
  });
});

describe("SecretKey", () => {
  const key = new SecretKey(new Uint8Array(32).fill(0xab));

  it("never shows its bytes", () => {
    for (const text of [
      JSON.stringify({ key }),
      String(key),
      inspect({ key }, { showHidden: true, depth: 9 }),
    ]) {
      expect(text).toContain("[secret key]");
      expect(text).not.toMatch(/abab|171/);
    }
    expect(structuredClone({ ...key })).toEqual({});
  });

  it("does not share memory with the bytes it was made from", () => {
    const seed = Buffer.alloc(32, 0xcd);
    const other = new SecretKey(seed);
    seed.fill(0);
    expect(toHex(other.exportBytes())).toBe("cd".repeat(32));
  });

  it("gives a copy of its bytes", () => {
    key.exportBytes().fill(0);
    expect(toHex(key.exportBytes())).toBe("ab".repeat(32));
  });
});
