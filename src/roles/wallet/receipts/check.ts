import type { Pins } from "../../../domain/receipt/evidence.ts";
import type { SignatureBlock } from "../../../domain/receipt/fields.ts";
import { type ParsedReceipt, parseReceipt } from "../../../domain/receipt/parse.ts";
import { verifyReceipt } from "../../../domain/receipt/verify.ts";
import {
  type SignerReport,
  verifyAttestations,
  verifyMiner,
} from "../../../domain/receipt/verify-signers.ts";
import { AppError } from "../../../kernel/errors.ts";
import type { SignatureCheck } from "../../../wire/wallet/receipts.ts";

/** What a receipt was found to be worth. */
export interface ReceiptCheck {
  readonly receipt_id: string;
  /** SHA-256 of the canonical bytes, as hex; null where they could not be made. */
  readonly receipt_hash: string | null;
  readonly miner_signature: SignatureCheck;
  readonly coordinator_attestations: readonly SignatureCheck[];
  /** Both sides signed, every signature holds, nothing failed. */
  readonly all_valid: boolean;
  /** `check: what is wrong`. */
  readonly failure_reasons: readonly string[];
}

/** Longest id of a receipt that is kept of one that could not be read, in characters. */
const MAX_RECEIPT_ID = 256;

const UNSIGNED = { key_id: "", alg: "Ed25519" };

/** Checks a receipt that a coordinator gave for a job. `pins`: the keys that are trusted. */
export function checkReceipt(jobId: string, text: string, pins: Pins): ReceiptCheck {
  try {
    return checkParsed(jobId, parseReceipt(text), pins);
  } catch (error) {
    if (error instanceof AppError && error.code === "INVALID_RECEIPT") return unreadable(text, error.message);
    throw error;
  }
}

function checkParsed(jobId: string, parsed: ParsedReceipt, pins: Pins): ReceiptCheck {
  const { receipt } = parsed;
  const miner = checkMiner(parsed, pins);
  const attestations = parsed.attestations.map((block) => checkAttestation(parsed, block, pins));
  const { lines, receiptHash } = verifyReceipt(parsed, {}, pins);
  const reasons = lines
    .filter(({ status }) => status === "failed")
    .map(({ check, detail }) => `${check}: ${detail}`);
  if (!miner.valid) reasons.push(`miner_signature: ${miner.reason}`);
  for (const { valid, reason } of attestations) if (!valid) reasons.push(`attestation: ${reason}`);
  if (attestations.length === 0) reasons.push("attestation: no coordinator attests the receipt");
  if (receipt["job_id"] !== jobId) reasons.push("job_id: the receipt is another job's");
  return {
    receipt_id: String(receipt["receipt_id"]),
    receipt_hash: receiptHash,
    miner_signature: miner,
    coordinator_attestations: attestations,
    all_valid: reasons.length === 0,
    failure_reasons: [...new Set(reasons)],
  };
}

function checkMiner(parsed: ParsedReceipt, pins: Pins): SignatureCheck {
  const report = verifyMiner(parsed, pins);
  return toCheck(parsed.signature ?? UNSIGNED, report);
}

function checkAttestation(parsed: ParsedReceipt, block: SignatureBlock, pins: Pins): SignatureCheck {
  return toCheck(block, verifyAttestations({ ...parsed, attestations: [block] }, pins));
}

/** A signature is valid where it counts and nothing about its signer failed. */
function toCheck({ key_id, alg }: Pick<SignatureBlock, "key_id"> & { alg: string }, report: SignerReport) {
  const [signer] = report.signers;
  const failed = report.lines.find(({ status }) => status === "failed");
  const valid = signer !== undefined && failed === undefined;
  const why = failed ?? report.lines[0];
  return {
    key_id,
    alg,
    valid,
    trusted: signer?.pinned ?? false,
    reason: valid ? null : (why?.detail ?? "nobody signed"),
  };
}

/** What cannot be read is kept as it came, and counts as wrong. */
function unreadable(text: string, problem: string): ReceiptCheck {
  const reason = `the receipt cannot be read: ${problem}`;
  // The text was written from an object.
  const { receipt_id } = JSON.parse(text) as { readonly receipt_id?: unknown };
  return {
    receipt_id: typeof receipt_id === "string" ? receipt_id.slice(0, MAX_RECEIPT_ID) : "",
    receipt_hash: null,
    miner_signature: { ...UNSIGNED, valid: false, trusted: false, reason },
    coordinator_attestations: [],
    all_valid: false,
    failure_reasons: [`form: ${reason}`],
  };
}
