import { createHash } from "node:crypto";
import { expect, it } from "vitest";
import { fromHex } from "../../src/crypto/bytes.ts";
import { verify, verifyAsync } from "../../src/crypto/ed25519.ts";
import { verifyWithPoints } from "../../src/crypto/ed25519-browser.ts";
import { describeVectors, readVector } from "./vectors.ts";

interface Wycheproof {
  readonly testGroups: readonly {
    readonly publicKey: { readonly pk: string };
    readonly tests: readonly {
      readonly tcId: number;
      readonly msg: string;
      readonly sig: string;
      readonly result: "valid" | "invalid";
    }[];
  }[];
}

/** Cases in the published file: a truncated copy must not pass. */
const CASES = 151;

const sha512 = (bytes: Uint8Array): Uint8Array => createHash("sha512").update(bytes).digest();

describeVectors("wycheproof", "Wycheproof Ed25519", () => {
  it("gives the published result for all cases, on the server, on a thread and with points", async () => {
    const file = JSON.parse(readVector("wycheproof", "ed25519_test.json")) as Wycheproof;
    let cases = 0;
    for (const group of file.testGroups) {
      const publicKey = fromHex("pk", group.publicKey.pk);
      for (const { tcId, msg, sig, result } of group.tests) {
        const message = fromHex("msg", msg);
        const signature = fromHex("sig", sig);
        const expected = { tcId, holds: result === "valid" };
        expect({ tcId, holds: verify(signature, message, publicKey) }).toEqual(expected);
        expect({ tcId, holds: await verifyAsync(signature, message, publicKey) }).toEqual(expected);
        expect({ tcId, holds: verifyWithPoints(signature, message, publicKey, sha512) }).toEqual(expected);
        cases++;
      }
    }
    expect(cases).toBe(CASES);
  });
});
