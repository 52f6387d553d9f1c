import { describe, expect, it } from "vitest";
import { ConsensusBench, GENESIS_REALM } from "../../../test/harness/consensus.ts";
import { type Certificate, certificateHash, NO_COMMIT_HASH, verifyCertificate } from "./certificate.ts";

const bench = new ConsensusBench(4, 0);
const HASH = "ab".repeat(32);
const of = (...indexes: readonly number[]): Certificate => bench.certificate(indexes, "precommit", 0, HASH);
const verifies = (certificate: Certificate, realm = GENESIS_REALM): boolean =>
  verifyCertificate(certificate, bench.set, realm);

describe("a certificate", () => {
  it("proves a quorum, or more", () => {
    expect(verifies(of(0, 1, 2))).toBe(true);
    expect(verifies(of(0, 1, 2, 3))).toBe(true);
    expect(verifies(of(1, 3))).toBe(false);
  });

  it("counts nobody twice, and has one order", () => {
    expect(verifies(of(0, 1, 1))).toBe(false);
    expect(verifies(of(1, 0, 2))).toBe(false);
  });

  it("counts members of the set alone, each under its own key", () => {
    const strangers = new ConsensusBench(7, 0).certificate([0, 1, 2, 3, 4], "precommit", 0, HASH);
    expect(verifies(strangers)).toBe(false);
    const [first, second, third] = of(0, 1, 2).signatures;
    if (!first || !second || !third) throw new Error("three signatures");
    const swapped = [
      { ...first, signature: second.signature },
      { ...second, signature: first.signature },
      third,
    ];
    expect(verifies({ ...of(0, 1, 2), signatures: swapped })).toBe(false);
  });

  it("is about one height, round, step, block and chain", () => {
    const certificate = of(0, 1, 2);
    for (const change of [
      { height: 2 },
      { round: 1 },
      { step: "prevote" as const },
      { block_hash: "cd".repeat(32) },
    ]) {
      expect(verifies({ ...certificate, ...change })).toBe(false);
    }
    expect(verifies(certificate, new Uint8Array(32))).toBe(false);
  });

  it("has a hash, and its absence has one too", () => {
    expect(certificateHash(of(0, 1, 2))).not.toBe(certificateHash(of(0, 1, 3)));
    expect(certificateHash(null)).toBe(NO_COMMIT_HASH);
  });
});
