import { expect, it } from "vitest";
import { fromHex, toHex } from "../../src/crypto/bytes.ts";
import { SecretKey } from "../../src/crypto/ed25519.ts";
import { deriveNode, formatPath } from "../../src/crypto/slip10.ts";
import { describeVectors, readVector } from "./vectors.ts";

interface Slip10 {
  readonly vectors: readonly {
    readonly seed: string;
    readonly chains: readonly {
      readonly path: string;
      readonly chainCode: string;
      readonly private: string;
      readonly public: string;
    }[];
  }[];
}

/** Chains of both published vectors. */
const CASES = 12;

describeVectors("slip10", "SLIP-0010 Ed25519", () => {
  it("gives the published keys and chain codes of all paths", () => {
    const { vectors } = JSON.parse(readVector("slip10", "ed25519.json")) as Slip10;
    let cases = 0;
    for (const { seed, chains } of vectors) {
      for (const chain of chains) {
        const path = chain.path
          .split("/")
          .slice(1)
          .map((step) => Number.parseInt(step, 10));
        expect(formatPath(path)).toBe(chain.path);
        const { secretKey, chainCode } = deriveNode(fromHex("seed", seed), path);
        expect({ path: chain.path, secret: toHex(secretKey), chainCode: toHex(chainCode) }).toEqual({
          path: chain.path,
          secret: chain.private,
          chainCode: chain.chainCode,
        });
        // The vectors put a zero byte in front of public keys.
        expect(`00${toHex(new SecretKey(secretKey).publicKey)}`).toBe(chain.public);
        cases++;
      }
    }
    expect(cases).toBe(CASES);
  });
});
