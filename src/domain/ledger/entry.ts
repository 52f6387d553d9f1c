/**
 * Entries of the state. Each has a name, such as `account/ait1…`, whose SHA-256 is its key in the state tree, and
 * a value, the SHA-256 of whose canonical JSON is its hash there.
 */
import { type Canonicalizable, canonicalizeSigned } from "../../crypto/canonical-json.ts";
import { sha256 } from "../../crypto/hash.ts";

/** What all entries of one namespace have in common. */
export interface EntryKind<Value> {
  /** First part of the names of these entries. Never changed: it is part of every state root. */
  readonly namespace: string;
  /** µAIT that an entry holds. The sum over all entries is what was issued less what was burned. */
  holds(value: Value): bigint;
  toJson(value: Value): Canonicalizable;
  /** Reads what `toJson` makes. Throws INVALID_PAYLOAD. */
  read(json: unknown, pointer: string): Value;
}

/** A name, with the kind of the entry that it names. */
export interface EntryKey<Value> {
  readonly kind: EntryKind<Value>;
  readonly name: string;
}

export interface Entry<Value = unknown> {
  readonly key: EntryKey<Value>;
  readonly value: Value;
}

/** Key of an entry; without an id, of the only one of its kind. */
export function entryKey<Value>(kind: EntryKind<Value>, id?: string): EntryKey<Value> {
  return { kind, name: id === undefined ? kind.namespace : `${kind.namespace}/${id}` };
}

/** Key in the state tree: 32 bytes. */
export function hashName(name: string): Uint8Array {
  return sha256(name);
}

/** Canonical text of an entry's value. */
export function formatValue({ key, value }: Entry): string {
  return canonicalizeSigned(key.kind.toJson(value));
}

/** What stands for an entry's value in the state tree: 32 bytes. */
export function hashValue(entry: Entry): Uint8Array {
  return sha256(formatValue(entry));
}
