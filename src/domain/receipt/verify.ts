/**
 * Verifies a receipt offline, from what it holds and what the caller brings, and says line by line what was
 * proven and what was not.
 */
import { sha256Hex } from "../../crypto/hash.ts";
import { type Evidence, failed, type Line, notProven, type Pins, proven } from "./evidence.ts";
import type { ParsedReceipt } from "./parse.ts";
import { verifyContent } from "./verify-content.ts";
import { verifyReceiptProgress } from "./verify-progress.ts";
import { type Signer, type SignerReport, verifyAttestations, verifyMiner } from "./verify-signers.ts";

/**
 * `verified`: nothing failed, and every signer is one that the caller named. `signer_unknown`: nothing failed,
 * but whose keys signed was not shown. `invalid`: something failed, or no signature counts.
 */
export type Verdict = "verified" | "signer_unknown" | "invalid";

export interface Verification {
  readonly verdict: Verdict;
  /** SHA-256 (hex) of the canonical bytes. */
  readonly receiptHash: string;
  readonly lines: readonly Line[];
}

export function verifyReceipt(parsed: ParsedReceipt, evidence: Evidence = {}, pins: Pins = {}): Verification {
  const hash = sha256Hex(parsed.bytes);
  const miner = verifyMiner(parsed, pins);
  const coordinator = verifyAttestations(parsed, pins);
  const signers = [...miner.signers, ...coordinator.signers];
  const content = verifyVersion(parsed, evidence, pins, coordinator.signers);
  const lines = [
    proven("form", `version ${parsed.version}, ${parsed.bytes.length} canonical bytes, hash ${hash}`),
    ...miner.lines,
    ...coordinator.lines,
    ...content.lines,
  ];
  if (signers.length === 0) {
    lines.push(
      failed("signatures", "no valid signature or attestation counts: nobody vouches for the receipt"),
    );
  }
  return { verdict: judge(lines, [...signers, ...content.signers]), receiptHash: hash, lines };
}

function verifyVersion(
  parsed: ParsedReceipt,
  evidence: Evidence,
  pins: Pins,
  coordinators: readonly Signer[],
): SignerReport {
  if (parsed.version === "1.0") {
    const detail =
      "a receipt of version 1.0 names no terms, meter or byte range: only its signatures can be checked";
    return { lines: [notProven("content", detail)], signers: [] };
  }
  const keys = coordinators.map(({ keyId }) => keyId);
  const progress = verifyReceiptProgress(parsed.receipt, evidence, pins, keys);
  return {
    lines: [...progress.lines, ...verifyContent(parsed.receipt, evidence)],
    signers: progress.signers,
  };
}

function judge(lines: readonly Line[], signers: readonly Signer[]): Verdict {
  if (lines.some(({ status }) => status === "failed")) return "invalid";
  return signers.every(({ pinned }) => pinned) ? "verified" : "signer_unknown";
}
