/**
 * Signatures on receipts: over the canonical bytes without `signature` and `attestations`, untagged, because
 * existing verifiers expect that. The bytes can be passed where the caller has them, so that they are made once.
 */
import { fromBase64Url, toBase64Url, utf8 } from "../../crypto/bytes.ts";
import { canonicalizeSigned } from "../../crypto/canonical-json.ts";
import {
  PUBLIC_KEY_BYTES,
  publicKeyOf,
  type SecretKey,
  SIGNATURE_BYTES,
  sign,
  signAsync,
  verify,
  verifyAsync,
} from "../../crypto/ed25519.ts";
import { sha256Hex } from "../../crypto/hash.ts";
import type { Receipt, SignatureBlock } from "./fields.ts";

/** The bytes that signature, attestations and hash of a receipt of version 1.1 cover. */
export function canonicalReceipt(receipt: Receipt): Uint8Array {
  return utf8(canonicalizeSigned({ ...receipt, signature: null, attestations: null }));
}

/** Hash of a receipt: SHA-256 (hex) of its canonical bytes. */
export function receiptHash(receipt: Receipt, bytes = canonicalReceipt(receipt)): string {
  return sha256Hex(bytes);
}

/** How a public key is written in receipts: unpadded base64url. */
export function keyIdOf(publicKey: Uint8Array): string {
  return toBase64Url(publicKey);
}

const toBlock = (key: SecretKey, signature: Uint8Array): SignatureBlock => ({
  alg: "Ed25519",
  key_id: keyIdOf(publicKeyOf(key)),
  sig: toBase64Url(signature),
});

/** The miner's signature. */
export function signReceipt(receipt: Receipt, key: SecretKey, bytes = canonicalReceipt(receipt)): Receipt {
  return { ...receipt, signature: toBlock(key, sign(bytes, key)) };
}

/** Signs as `signReceipt` does, on a thread of the pool. */
export async function signReceiptAsync(
  receipt: Receipt,
  key: SecretKey,
  bytes = canonicalReceipt(receipt),
): Promise<Receipt> {
  return { ...receipt, signature: toBlock(key, await signAsync(bytes, key)) };
}

/**
 * The coordinator's attestation. Attestations that the receipt came with are dropped: nothing covers them, and
 * one that does not verify would spoil the receipt.
 */
export function attestReceipt(receipt: Receipt, key: SecretKey, bytes = canonicalReceipt(receipt)): Receipt {
  return { ...receipt, attestations: [toBlock(key, sign(bytes, key))] };
}

/** Attests as `attestReceipt` does, on a thread of the pool. */
export async function attestReceiptAsync(
  receipt: Receipt,
  key: SecretKey,
  bytes = canonicalReceipt(receipt),
): Promise<Receipt> {
  return { ...receipt, attestations: [toBlock(key, await signAsync(bytes, key))] };
}

/** Public key and signature of a block, or undefined where they are not spelled in the one canonical way. */
function readBlock(block: SignatureBlock): { key: Uint8Array; signature: Uint8Array } | undefined {
  try {
    return {
      key: fromBase64Url("key_id", block.key_id, PUBLIC_KEY_BYTES),
      signature: fromBase64Url("sig", block.sig, SIGNATURE_BYTES),
    };
  } catch {
    return undefined;
  }
}

/** Whether a signature block holds over the bytes. False, and no error, for a malformed block. */
export function verifyBlock(block: SignatureBlock, bytes: Uint8Array): boolean {
  const read = readBlock(block);
  return read !== undefined && verify(read.signature, bytes, read.key);
}

/** Verifies as `verifyBlock` does, on a thread of the pool. */
export async function verifyBlockAsync(block: SignatureBlock, bytes: Uint8Array): Promise<boolean> {
  const read = readBlock(block);
  return read !== undefined && (await verifyAsync(read.signature, bytes, read.key));
}
