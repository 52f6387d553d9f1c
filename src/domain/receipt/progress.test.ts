import { describe, expect, it } from "vitest";
import { COORDINATOR_KEY, MINER_KEY, REALM } from "../../../test/harness/receipts.ts";
import { addressOfKey } from "../../crypto/address.ts";
import { fromUtf8 } from "../../crypto/bytes.ts";
import { sha256Hex } from "../../crypto/hash.ts";
import { signSessionProof, verifySessionProof } from "../job/session-proof.ts";
import { type Progress, progressSignBytes, signProgress, verifyProgress } from "./progress.ts";

const progress: Progress = {
  v: 1,
  job_id: "0199f3a2c4d17b0e8a52c1d07f3b6e94",
  token: 2,
  seq: 7,
  bytes: 4,
  running_sha256: sha256Hex("text"),
  units: 1,
  terms_hash: sha256Hex("terms"),
};

describe("progress", () => {
  const signature = signProgress(progress, REALM, MINER_KEY);

  it("is signed over its canonical form behind type and realm", () => {
    const bytes = progressSignBytes(progress, REALM);
    expect(fromUtf8("bytes", bytes.subarray(0, 18))).toBe("aitbc/progress/v1\0");
    expect(bytes.subarray(18, 50)).toEqual(REALM);
    expect(fromUtf8("bytes", bytes.subarray(50))).toMatch(/^\{"bytes":4,"job_id":"0199/);
  });

  it("verifies as it was signed and not otherwise", () => {
    expect(verifyProgress(progress, REALM, signature, MINER_KEY.publicKey)).toBe(true);
    expect(verifyProgress({ ...progress, bytes: 5 }, REALM, signature, MINER_KEY.publicKey)).toBe(false);
    expect(verifyProgress(progress, new Uint8Array(32), signature, MINER_KEY.publicKey)).toBe(false);
    expect(verifyProgress(progress, REALM, signature, COORDINATOR_KEY.publicKey)).toBe(false);
  });
});

describe("session proof", () => {
  const proof = {
    v: 1,
    nonce: "00ff",
    coordinator_id: addressOfKey(COORDINATOR_KEY.publicKey),
    miner_id: addressOfKey(MINER_KEY.publicKey),
  } as const;
  const signature = signSessionProof(proof, REALM, MINER_KEY);

  it("verifies as it was signed and not otherwise", () => {
    expect(verifySessionProof(proof, REALM, signature, MINER_KEY.publicKey)).toBe(true);
    expect(verifySessionProof({ ...proof, nonce: "00fe" }, REALM, signature, MINER_KEY.publicKey)).toBe(
      false,
    );
    expect(verifySessionProof(proof, new Uint8Array(32), signature, MINER_KEY.publicKey)).toBe(false);
  });
});
