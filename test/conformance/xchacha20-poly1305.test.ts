import { expect, it } from "vitest";
import { fromHex, toHex } from "../../src/crypto/bytes.ts";
import { seal, unseal } from "../../src/crypto/xchacha20-poly1305.ts";
import { describeVectors, readVector } from "./vectors.ts";

interface Wycheproof {
  readonly testGroups: readonly {
    readonly tests: readonly {
      readonly tcId: number;
      readonly key: string;
      readonly iv: string;
      readonly aad: string;
      readonly msg: string;
      readonly ct: string;
      readonly tag: string;
      readonly result: "valid" | "invalid";
    }[];
  }[];
}

/** Cases in the published file: a truncated copy must not pass. */
const CASES = 315;

/** What comes of a call: its bytes as hex, or that it refused. */
function outcome(work: () => Uint8Array | undefined): string {
  try {
    const bytes = work();
    return bytes === undefined ? "refused" : toHex(bytes);
  } catch {
    return "refused";
  }
}

describeVectors("wycheproof", "Wycheproof XChaCha20-Poly1305", () => {
  it("gives the published result for all cases, both ways", () => {
    const file = JSON.parse(readVector("wycheproof", "xchacha20_poly1305_test.json")) as Wycheproof;
    let cases = 0;
    for (const { tcId, key, iv, aad, msg, ct, tag, result } of file.testGroups.flatMap(
      ({ tests }) => tests,
    )) {
      const [k, n, a] = [key, iv, aad].map((hex) => fromHex("hex", hex)) as [
        Uint8Array,
        Uint8Array,
        Uint8Array,
      ];
      const valid = result === "valid";
      const opened = outcome(() => unseal(k, n, fromHex("ct", ct + tag), a));
      expect({ tcId, opened }).toEqual({ tcId, opened: valid ? msg : "refused" });
      const sealed = outcome(() => seal(k, n, fromHex("msg", msg), a));
      expect({ tcId, same: sealed === ct + tag }).toEqual({ tcId, same: valid });
      cases++;
    }
    expect(cases).toBe(CASES);
  });
});
