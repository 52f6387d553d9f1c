/**
 * Transactions: canonical JSON, ASCII. What is signed is the same document without its signatures, and the hash
 * of that names the transaction: another valid signature does not make another transaction.
 */
import { addressOfKey, addressOfMultisig, MAX_MULTISIG_SIGNERS } from "../../crypto/address.ts";
import { compareBytes, fromBase64Url } from "../../crypto/bytes.ts";
import { type Canonicalizable, canonicalizeSigned, parseCanonical } from "../../crypto/canonical-json.ts";
import { isAcceptablePublicKey, PUBLIC_KEY_BYTES, SIGNATURE_BYTES } from "../../crypto/ed25519.ts";
import { sha256Hex } from "../../crypto/hash.ts";
import { CHAIN_ID } from "../consensus/header.ts";
import {
  PUBLIC_KEY,
  readInteger,
  readList,
  readMembers,
  readOneOf,
  readText,
  refuse,
  SIGNATURE,
} from "../consensus/read.ts";
import { readAmount } from "./amount.ts";
import type { TransactionModule } from "./module.ts";
import { findModule, TRANSACTION_TYPES } from "./registry.ts";

/** Longest transaction, in bytes: it must leave room for others in the smallest block. */
export const MAX_TRANSACTION_BYTES = 65_536;

/** m of n keys that sign together. */
export type Multisig = {
  readonly threshold: number;
  /** Base64url, in ascending order of their bytes. */
  readonly public_keys: readonly string[];
};

/** Who signs: one key, or an account of several. */
export type Signer = { readonly public_key: string } | { readonly multisig: Multisig };

/** A transaction before it is signed, as it stands in JSON. */
export type UnsignedTransaction = Signer & {
  readonly v: 1;
  readonly chain_id: string;
  readonly type: string;
  /** Number of the sender's transactions with this one. */
  readonly nonce: number;
  /** µAIT, decimal. */
  readonly fee: string;
  readonly payload: Canonicalizable;
};

/** What a transaction says, whether it is signed or not. */
export interface TransactionContent {
  readonly chainId: string;
  /** Address of the account that pays and whose money moves. */
  readonly sender: string;
  readonly nonce: number;
  /** µAIT. */
  readonly fee: bigint;
  readonly module: TransactionModule;
  /** As `module` reads it. */
  readonly payload: unknown;
  /** Keys that can sign (32 bytes each), and how many of them must. */
  readonly keys: readonly Uint8Array[];
  readonly threshold: number;
  /** Canonical text without signatures: what is signed. */
  readonly unsigned: string;
}

export interface TransactionSignature {
  readonly publicKey: Uint8Array;
  readonly signature: Uint8Array;
}

/** A signed transaction. That the signatures hold is what `verifyTransaction` finds out. */
export interface Transaction extends TransactionContent {
  readonly text: string;
  /** SHA-256 (hex) of the canonical text without signatures. */
  readonly hash: string;
  /** As many as the sender needs. */
  readonly signatures: readonly TransactionSignature[];
}

const SIGNER_NAMES = ["public_key", "multisig"] as const;
const SIGNATURE_NAMES = ["signature", "signatures"] as const;
const NAMES = [
  "v",
  "chain_id",
  "type",
  "nonce",
  "fee",
  "payload",
  ...SIGNER_NAMES,
  ...SIGNATURE_NAMES,
] as const;
const OPTIONAL = [...SIGNER_NAMES, ...SIGNATURE_NAMES] as const;

/**
 * Reads a transaction's text, which must be canonical and have as many signatures as its sender needs. Throws
 * INVALID_PAYLOAD, PAYLOAD_TOO_LARGE, or as the JSON parser does.
 */
export function parseTransaction(text: string): Transaction {
  const value = parseCanonical(text, { maxBytes: MAX_TRANSACTION_BYTES });
  const content = readContent(value);
  const signatures = readSignatures(value, content);
  return { ...content, text, hash: sha256Hex(content.unsigned), signatures };
}

/** Reads the canonical text of a transaction with or without signatures. Throws as `parseTransaction` does. */
export function parseTransactionContent(text: string): TransactionContent {
  return readContent(parseCanonical(text, { maxBytes: MAX_TRANSACTION_BYTES }));
}

type Members = Readonly<Record<(typeof NAMES)[number], unknown>>;

function readContent(value: unknown): TransactionContent {
  const members = readMembers(value, "", NAMES, OPTIONAL);
  readOneOf(members.v, "/v", [1]);
  const module =
    (typeof members.type === "string" && findModule(members.type)) ||
    refuse("/type", `one of ${TRANSACTION_TYPES.join(", ")}`);
  const fee = BigInt(readAmount(members.fee, "/fee"));
  if (module.feeFree && fee !== 0n) refuse("/fee", `"0", since ${module.type} has no fee`);
  return {
    chainId: readText(members.chain_id, "/chain_id", CHAIN_ID),
    ...readSigner(members),
    nonce: readInteger(members.nonce, "/nonce", 1),
    fee,
    module,
    payload: module.readPayload(members.payload, "/payload"),
    unsigned: canonicalizeSigned({
      // The text was canonical, so all of it can be written; the members of signatures are left out.
      ...(value as Readonly<Record<string, Canonicalizable>>),
      signature: undefined,
      signatures: undefined,
    }),
  };
}

function readSigner(members: Members): Pick<TransactionContent, "sender" | "keys" | "threshold"> {
  if ((members.public_key === undefined) === (members.multisig === undefined)) {
    refuse("", "either public_key or multisig");
  }
  if (members.multisig !== undefined) return readMultisig(members.multisig);
  const key = readKey(members.public_key, "/public_key");
  return { sender: addressOfKey(key), keys: [key], threshold: 1 };
}

function readMultisig(value: unknown): Pick<TransactionContent, "sender" | "keys" | "threshold"> {
  const members = readMembers(value, "/multisig", ["threshold", "public_keys"]);
  const keys = readList(members.public_keys, "/multisig/public_keys", MAX_MULTISIG_SIGNERS, readKey);
  const isAscending = keys.every(
    (key, index) => index === 0 || compareBytes(keys[index - 1] ?? key, key) < 0,
  );
  if (keys.length === 0 || !isAscending)
    refuse("/multisig/public_keys", "keys in ascending order, each once");
  const threshold = readInteger(members.threshold, "/multisig/threshold", 1);
  if (threshold > keys.length) refuse("/multisig/threshold", "at most the number of keys");
  return { sender: addressOfMultisig({ threshold, signers: keys }), keys, threshold };
}

function readKey(value: unknown, pointer: string): Uint8Array {
  const key = fromBase64Url("public_key", readText(value, pointer, PUBLIC_KEY), PUBLIC_KEY_BYTES);
  return isAcceptablePublicKey(key) ? key : refuse(pointer, "an acceptable Ed25519 key");
}

function readSignatures(value: unknown, { keys, threshold }: TransactionContent): TransactionSignature[] {
  const { public_key, signature, signatures } = readMembers(value, "", NAMES, OPTIONAL);
  const expected = public_key === undefined ? "signatures and no signature" : "signature and no signatures";
  if ((signature === undefined) !== (public_key === undefined)) refuse("", expected);
  if ((signatures === undefined) === (public_key === undefined)) refuse("", expected);
  if (signature !== undefined) return [readSignature(keys, 0, signature, "/signature")];
  let last = -1;
  const read = readList(signatures, "/signatures", threshold, (item, pointer) => {
    const members = readMembers(item, pointer, ["signer", "signature"]);
    last = readInteger(members.signer, `${pointer}/signer`, last + 1);
    return readSignature(keys, last, members.signature, `${pointer}/signature`);
  });
  return read.length === threshold ? [...read] : refuse("/signatures", `${threshold} signatures`);
}

function readSignature(
  keys: readonly Uint8Array[],
  index: number,
  value: unknown,
  pointer: string,
): TransactionSignature {
  const publicKey = keys[index] ?? refuse(pointer, "a signature by one of the keys");
  const text = readText(value, pointer, SIGNATURE);
  return { publicKey, signature: fromBase64Url("signature", text, SIGNATURE_BYTES) };
}
