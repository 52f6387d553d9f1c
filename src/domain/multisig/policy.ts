import { addressOfMultisig, MAX_MULTISIG_SIGNERS } from "../../crypto/address.ts";
import { compareBytes, fromBase64Url, toBase64Url } from "../../crypto/bytes.ts";
import { isAcceptablePublicKey, PUBLIC_KEY_BYTES } from "../../crypto/ed25519.ts";
import { PUBLIC_KEY, readInteger, readList, readMembers, readText, refuse } from "../consensus/read.ts";
import type { Multisig } from "../ledger/transaction.ts";

/** A multisig account as it was read. */
export interface ReadPolicy {
  readonly policy: Multisig;
  /** 32 bytes each, ascending. */
  readonly keys: readonly Uint8Array[];
  readonly address: string;
}

/**
 * An account of m of n keys, in the form in which transactions name it.
 * @throws AppError INVALID_ARGUMENT for a threshold out of range, the same key twice, or more than 16 keys
 */
export function createPolicy(threshold: number, publicKeys: readonly Uint8Array[]): ReadPolicy {
  const keys = publicKeys.toSorted(compareBytes);
  const address = addressOfMultisig({ threshold, signers: keys });
  return { policy: { threshold, public_keys: keys.map(toBase64Url) }, keys, address };
}

/** Reads a multisig account from JSON. @throws AppError INVALID_PAYLOAD, INVALID_ARGUMENT */
export function readPolicy(value: unknown, pointer: string): ReadPolicy {
  const members = readMembers(value, pointer, ["threshold", "public_keys"]);
  const keys = readList(members.public_keys, `${pointer}/public_keys`, MAX_MULTISIG_SIGNERS, readKey);
  const read = createPolicy(readInteger(members.threshold, `${pointer}/threshold`, 1), keys);
  const isSorted = read.keys.every((key, index) => key === keys[index]);
  return isSorted ? read : refuse(`${pointer}/public_keys`, "keys in ascending order");
}

function readKey(value: unknown, pointer: string): Uint8Array {
  const key = fromBase64Url("public_key", readText(value, pointer, PUBLIC_KEY), PUBLIC_KEY_BYTES);
  return isAcceptablePublicKey(key) ? key : refuse(pointer, "an acceptable Ed25519 key");
}
