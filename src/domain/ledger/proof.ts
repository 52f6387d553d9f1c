/** Proofs about single entries of the state, such as an account: checked offline against a header's state_root. */
import { fromHex, toHex } from "../../crypto/bytes.ts";
import { HASH_BYTES, sha256 } from "../../crypto/hash.ts";
import { KEY_BITS, type SparseProof, verifySparseProof } from "../../crypto/sparse-merkle-proof.ts";
import { HASH, readList, readMembers, readText } from "../consensus/read.ts";
import { type EntryKey, formatValue, hashName } from "./entry.ts";
import type { LedgerState } from "./state.ts";

/** A proof as it stands in JSON; hashes in hex. */
export type EntryProof = {
  /** Name of the entry, such as `account/ait1…`. */
  readonly name: string;
  /** Canonical text of its value; null, or left out, where the state has no such entry. */
  readonly value: string | null;
  /** From the root down. */
  readonly siblings: readonly string[];
  /** The leaf that stands in the entry's place, where there is one. */
  readonly other?: { readonly key: string; readonly value_hash: string };
};

const NAME = /^[\x21-\x7e]{1,256}$/;
/** An account's value has 100 bytes; nothing stops a single entry from being a thousand times as long. */
const VALUE = /^[\x20-\x7e]{1,1048576}$/;

/** Shows that an entry has its value in a state, or is not in it. */
export function proveEntry(state: LedgerState, key: EntryKey<unknown>): EntryProof {
  const value = state.find(key);
  const { siblings, other } = state.prove(key.name);
  return {
    name: key.name,
    value: value === undefined ? null : formatValue({ key, value }),
    siblings: siblings.map(toHex),
    ...(other && { other: { key: toHex(other.key), value_hash: toHex(other.valueHash) } }),
  };
}

/** Whether a proof is about the entry with this name, and holds for a state with this root (hex). */
export function verifyEntryProof(proof: EntryProof, name: string, stateRoot: string): boolean {
  const { value, siblings, other } = proof;
  if (proof.name !== name) return false;
  const hash = (text: string): Uint8Array => fromHex("hash", text, HASH_BYTES);
  const sparse: SparseProof = {
    siblings: siblings.map(hash),
    ...(other && { other: { key: hash(other.key), valueHash: hash(other.value_hash) } }),
  };
  return verifySparseProof(
    hash(stateRoot),
    hashName(name),
    value === null ? undefined : sha256(value),
    sparse,
  );
}

/** Reads a proof from parsed JSON. Throws INVALID_PAYLOAD. */
export function readEntryProof(json: unknown, pointer = ""): EntryProof {
  const members = readMembers(json, pointer, ["name", "value", "siblings", "other"], ["value", "other"]);
  const hash = (value: unknown, at: string): string => readText(value, at, HASH);
  const { name, value, siblings, other } = members;
  return {
    name: readText(name, `${pointer}/name`, NAME),
    value: value === undefined || value === null ? null : readText(value, `${pointer}/value`, VALUE),
    siblings: readList(siblings, `${pointer}/siblings`, KEY_BITS, hash),
    ...(other !== undefined && { other: readOther(other, `${pointer}/other`) }),
  };
}

function readOther(json: unknown, pointer: string): { readonly key: string; readonly value_hash: string } {
  const { key, value_hash } = readMembers(json, pointer, ["key", "value_hash"]);
  return {
    key: readText(key, `${pointer}/key`, HASH),
    value_hash: readText(value_hash, `${pointer}/value_hash`, HASH),
  };
}
