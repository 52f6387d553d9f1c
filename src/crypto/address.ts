/**
 * Addresses: bech32 (BIP-173) with the prefix `ait`, over a type byte and a hash. The type is part of the
 * address, so one kind can never be passed off as another.
 */
import { bech32 } from "@scure/base";
import { AppError } from "../kernel/errors.ts";
import { checkLength, compareBytes, concatBytes, utf8 } from "./bytes.ts";
import { HASH_BYTES, sha256 } from "./hash.ts";

const PREFIX = "ait";
const PUBLIC_KEY_BYTES = 32;
/** Bytes of a key's hash: 160 bits keep an address short, and no attack gains from a collision of two own keys. */
const KEY_HASH_BYTES = 20;

export const ADDRESS_TYPES = ["key", "multisig", "module"] as const;
export type AddressType = (typeof ADDRESS_TYPES)[number];

const TYPES: Readonly<Record<AddressType, { readonly byte: number; readonly bytes: number }>> = {
  key: { byte: 0, bytes: KEY_HASH_BYTES },
  multisig: { byte: 1, bytes: HASH_BYTES },
  module: { byte: 2, bytes: HASH_BYTES },
};

export interface ParsedAddress {
  readonly type: AddressType;
  readonly hash: Uint8Array;
}

/** Writes an address. `hash` has 20 bytes for a key and 32 for the other types. */
export function formatAddress(type: AddressType, hash: Uint8Array): string {
  const { byte, bytes } = TYPES[type];
  checkLength("hash", hash, bytes);
  return bech32.encodeFromBytes(PREFIX, concatBytes(Uint8Array.of(byte), hash));
}

/** Address of a public key: the first 20 bytes of its SHA-256. */
export function addressOfKey(publicKey: Uint8Array): string {
  checkLength("publicKey", publicKey, PUBLIC_KEY_BYTES);
  return formatAddress("key", sha256(publicKey).subarray(0, KEY_HASH_BYTES));
}

/** Address of a module account: SHA-256 of the module's name. */
export function addressOfModule(name: string): string {
  return formatAddress("module", sha256(name));
}

/** Most signers of a multisig account: their keys are part of each of its transactions. */
export const MAX_MULTISIG_SIGNERS = 16;

/** m of n: an account whose documents count with `threshold` signatures of different `signers`. */
export interface MultisigPolicy {
  /** 1 to the number of signers. */
  readonly threshold: number;
  /** 1 to 16 public keys of 32 bytes, all different, in any order. */
  readonly signers: readonly Uint8Array[];
}

/** Keeps the hash apart from all others (a public key's, a module's name). */
const MULTISIG_PREFIX = utf8("aitbc/multisig/v1\0");

/**
 * Address of a multisig account: SHA-256 of `aitbc/multisig/v1\0`, one byte threshold, one byte number of signers,
 * and the public keys in ascending order of their bytes. Throws INVALID_ARGUMENT for a policy out of range.
 */
export function addressOfMultisig({ threshold, signers }: MultisigPolicy): string {
  const keys = signers.map((key) => checkLength("signer", key, PUBLIC_KEY_BYTES)).sort(compareBytes);
  const isSet = keys.every((key, index) => index === 0 || compareBytes(keys[index - 1] ?? key, key) < 0);
  if (!isSet) refuse("signers", "the same key twice");
  if (keys.length < 1 || keys.length > MAX_MULTISIG_SIGNERS) {
    refuse("signers", `must be 1 to ${MAX_MULTISIG_SIGNERS} keys`);
  }
  if (!Number.isInteger(threshold) || threshold < 1 || threshold > keys.length) {
    refuse("threshold", "must be a whole number from 1 to the number of signers");
  }
  const head = Uint8Array.of(threshold, keys.length);
  return formatAddress("multisig", sha256(concatBytes(MULTISIG_PREFIX, head, ...keys)));
}

/** Reads an address in lower case. Throws INVALID_ARGUMENT for any other text. */
export function parseAddress(address: string): ParsedAddress {
  const parsed = findAddress(address);
  if (!parsed) {
    throw new AppError("INVALID_ARGUMENT", "not an ait1… address", { meta: { argument: "address" } });
  }
  return parsed;
}

/** Whether a text is an address. */
export function isAddress(address: string): boolean {
  return findAddress(address) !== undefined;
}

function refuse(argument: string, problem: string): never {
  throw new AppError("INVALID_ARGUMENT", `${argument}: ${problem}`, { meta: { argument } });
}

/** Reads an address in lower case; undefined for any other text. */
export function findAddress(address: string): ParsedAddress | undefined {
  const decoded = bech32.decodeUnsafe(address);
  // BIP-173 accepts all capitals too; a second spelling would be a second identity in every table.
  if (decoded?.prefix !== PREFIX || address !== address.toLowerCase()) return undefined;
  const bytes = bech32.fromWordsUnsafe(decoded.words);
  const type = ADDRESS_TYPES.find((name) => TYPES[name].byte === bytes?.[0]);
  if (!bytes || !type || bytes.length !== TYPES[type].bytes + 1) return undefined;
  return { type, hash: bytes.slice(1) };
}
