/** Makes transactions: the fee they need, the bytes that are signed, the text that is sent. */
import { toBase64Url } from "../../crypto/bytes.ts";
import { canonicalizeSigned } from "../../crypto/canonical-json.ts";
import { SIGNATURE_BYTES, verify } from "../../crypto/ed25519.ts";
import { signBytes } from "../../crypto/sign-bytes.ts";
import type { Verify } from "../consensus/vote.ts";
import type { Params } from "./params.ts";
import { findModule, type Payloads, type TransactionType } from "./registry.ts";
import type { Multisig, Signer, Transaction, UnsignedTransaction } from "./transaction.ts";

/** What fees depend on. */
export type FeeParams = Pick<Params, "base_fee_uait" | "fee_per_byte_uait">;

/** Least fee of a transaction whose text has so many bytes, in µAIT. */
export function minimumFee(params: FeeParams, sizeBytes: number): bigint {
  return params.base_fee_uait + params.fee_per_byte_uait * BigInt(sizeBytes);
}

export interface TransactionRequest<Type extends TransactionType> {
  readonly chainId: string;
  readonly type: Type;
  readonly payload: Payloads[Type];
  /** The account's nonce plus one. */
  readonly nonce: number;
  readonly signer: Signer;
}

/** A transaction with the least fee that it needs. */
export function buildTransaction<Type extends TransactionType>(
  request: TransactionRequest<Type>,
  params: FeeParams,
): UnsignedTransaction {
  const { chainId, type, payload, nonce, signer } = request;
  const common = { v: 1 as const, chain_id: chainId, type, payload, nonce };
  const withFee = (fee: string): UnsignedTransaction => ({ ...signer, ...common, fee });
  if (findModule(type)?.feeFree) return withFee("0");
  const others = signedSize(withFee(""));
  // The fee's own digits cost a fee: take the first number of digits that is enough.
  for (let digits = 1; ; digits++) {
    const fee = String(minimumFee(params, others + digits));
    if (fee.length <= digits) return withFee(fee);
  }
}

/** Bytes that a transaction will have when it is signed; at most, for a multisig account. */
function signedSize(transaction: UnsignedTransaction): number {
  const signature = new Uint8Array(SIGNATURE_BYTES);
  if (!("multisig" in transaction)) return attachSignature(transaction, signature).length;
  const { threshold, public_keys } = transaction.multisig;
  // The last ones have the longest numbers.
  const signers = public_keys.map((_key, signer) => ({ signer, signature })).slice(-threshold);
  return attachSignatures(transaction, signers).length;
}

/** Bytes to sign, in the realm of the chain (its genesis hash). `unsigned`: canonical text without signatures. */
export function transactionSignBytes(unsigned: string, realm: Uint8Array): Uint8Array {
  return signBytes("tx", realm, unsigned);
}

/** Canonical text of a transaction that is not signed yet. */
export function formatUnsigned(transaction: UnsignedTransaction): string {
  return canonicalizeSigned(transaction);
}

/** Text of a transaction that one key signed: 64 bytes of signature. */
export function attachSignature(transaction: UnsignedTransaction, signature: Uint8Array): string {
  return canonicalizeSigned({ ...transaction, signature: toBase64Url(signature) });
}

/** Text of a multisig account's transaction. `signer`: place of the key in `public_keys`, from 0. */
export function attachSignatures(
  transaction: UnsignedTransaction & { readonly multisig: Multisig },
  signatures: readonly { readonly signer: number; readonly signature: Uint8Array }[],
): string {
  const ordered = signatures.toSorted((a, b) => a.signer - b.signer);
  return canonicalizeSigned({
    ...transaction,
    signatures: ordered.map(({ signer, signature }) => ({ signer, signature: toBase64Url(signature) })),
  });
}

/** Whether all signatures of a transaction hold, in the realm of the chain. */
export function verifyTransaction(
  { unsigned, signatures }: Transaction,
  realm: Uint8Array,
  rule: Verify = verify,
): boolean {
  const message = transactionSignBytes(unsigned, realm);
  return signatures.every(({ signature, publicKey }) => rule(signature, message, publicKey));
}
