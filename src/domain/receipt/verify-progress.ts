/** How much of an unsigned segment the miner's last signed progress proves. */
import { fromBase64Url } from "../../crypto/bytes.ts";
import { PUBLIC_KEY_BYTES, SIGNATURE_BYTES } from "../../crypto/ed25519.ts";
import { sha256Hex } from "../../crypto/hash.ts";
import { realmOfCoordinator } from "../../crypto/sign-bytes.ts";
import { type Evidence, failed, type Line, notProven, type Pins, proven } from "./evidence.ts";
import type { Receipt, ReceiptProgress } from "./fields.ts";
import { verifyProgress } from "./progress.ts";
import { keyLine, providerLine, type Signer, type SignerReport } from "./verify-signers.ts";

/**
 * Checks the progress of a receipt. `coordinatorKeys`: keys whose attestations count; one of them gives the
 * realm where no chain does.
 */
export function verifyReceiptProgress(
  receipt: Receipt,
  evidence: Evidence,
  pins: Pins,
  coordinatorKeys: readonly string[],
): SignerReport {
  const { progress } = receipt.metadata;
  if (!progress) return { lines: receipt.signature ? [] : [unsupported(receipt)], signers: [] };
  const realms = evidence.realm
    ? [evidence.realm]
    : coordinatorKeys.map((keyId) => realmOfCoordinator(fromBase64Url("key_id", keyId, PUBLIC_KEY_BYTES)));
  if (realms.length === 0) {
    const detail = "for which coordinator the progress was signed is not known without its attestation";
    return { lines: [notProven("progress", detail)], signers: [] };
  }
  const problem = findProblem(receipt, progress, realms, evidence.output);
  if (problem) return { lines: [failed("progress", problem)], signers: [] };
  const pinned = pins.minerKeys?.includes(progress.key_id) ?? false;
  const signer: Signer = { keyId: progress.key_id, role: "miner", pinned };
  return {
    lines: [
      ...coverage(receipt, progress),
      providerLine("1.1", receipt.provider, progress),
      // A miner that signed the receipt too has its line already.
      ...(receipt.signature?.key_id === progress.key_id ? [] : [keyLine(signer)]),
    ],
    signers: [signer],
  };
}

function unsupported(receipt: Receipt): Line {
  const { start_byte: start, end_byte: end } = receipt.metadata;
  return notProven(
    "progress",
    `bytes ${start} to ${end} rest on the coordinator's attestation alone: the miner signed neither receipt nor progress (it holds no key, or was lost before its first progress)`,
  );
}

function findProblem(
  receipt: Receipt,
  progress: ReceiptProgress,
  realms: readonly Uint8Array[],
  output: Uint8Array | undefined,
): string | undefined {
  const { metadata } = receipt;
  if (progress.terms_hash !== metadata.terms_hash) return "the progress was signed for other terms";
  if (progress.bytes < metadata.start_byte || progress.bytes > metadata.end_byte) {
    return `the progress ends at byte ${progress.bytes}, outside of the segment`;
  }
  if (!realms.some((realm) => isSigned(receipt, progress, realm))) {
    return "the signature under the progress does not match it";
  }
  if (output && sha256Hex(output.subarray(0, progress.bytes)) !== progress.running_sha256) {
    return "the progress was signed over another output";
  }
  return undefined;
}

function isSigned(receipt: Receipt, progress: ReceiptProgress, realm: Uint8Array): boolean {
  const { key_id, sig, ...rest } = progress;
  const statement = {
    v: 1,
    job_id: receipt.job_id,
    token: receipt.metadata.token,
    seq: rest.seq,
    bytes: rest.bytes,
    running_sha256: rest.running_sha256,
    units: rest.units,
    terms_hash: rest.terms_hash,
  } as const;
  try {
    const signature = fromBase64Url("sig", sig, SIGNATURE_BYTES);
    return verifyProgress(statement, realm, signature, fromBase64Url("key_id", key_id, PUBLIC_KEY_BYTES));
  } catch {
    // A key or signature in another spelling than the canonical one does not count.
    return false;
  }
}

/** What the progress proves, and what lies past it. */
function coverage(receipt: Receipt, progress: ReceiptProgress): Line[] {
  const { start_byte: start, end_byte: end } = receipt.metadata;
  const covered = proven(
    "progress",
    `the miner signed that it delivered bytes ${start} to ${progress.bytes}`,
  );
  if (progress.bytes === end || receipt.signature) return [covered];
  const rest = `bytes ${progress.bytes} to ${end} lie past the miner's last signed progress and rest on the coordinator's attestation alone`;
  return [covered, notProven("after_progress", rest)];
}
