import { timingSafeEqual } from "node:crypto";
import { sha256Hex } from "../../crypto/hash.ts";
import type { RandomBytes } from "../../kernel/ids.ts";
import { KEY_KINDS, type KeyKind } from "../../wire/access.ts";

/** Bytes of a key's public id and of its secret. 256 random bits need no slow hash. */
const ID_BYTES = 8;
const SECRET_BYTES = 32;
/** Characters of the checksum: it tells a mistyped key from a wrong one without asking anybody. */
const CHECKSUM_CHARACTERS = 8;

const FORMAT = new RegExp(`^ait_(${KEY_KINDS.join("|")})_([0-9a-f]{16})_([0-9a-f]{64})([0-9a-f]{8})$`);

/** A key as its text says; whether it is known is another question. */
export interface ParsedKey {
  readonly kind: KeyKind;
  readonly keyId: string;
  /** SHA-256 of the key, as hex. */
  readonly digest: string;
}

/** Makes a key: `ait_<kind>_<id>_<secret><checksum>`. */
export function createApiKey(kind: KeyKind, random: RandomBytes): string {
  const hex = (length: number) => Buffer.from(random(length)).toString("hex");
  const body = `ait_${kind}_${hex(ID_BYTES)}_${hex(SECRET_BYTES)}`;
  return body + sha256Hex(body).slice(0, CHECKSUM_CHARACTERS);
}

/** Reads a key's text; undefined when it is not a key at all or its checksum is wrong. */
export function parseApiKey(key: string): ParsedKey | undefined {
  const match = FORMAT.exec(key);
  if (!match) return undefined;
  const [, kind, keyId, , checksum] = match;
  if (!keyId || sha256Hex(key.slice(0, -CHECKSUM_CHARACTERS)).slice(0, CHECKSUM_CHARACTERS) !== checksum) {
    return undefined;
  }
  // The expression admits the kinds only.
  return { kind: kind as KeyKind, keyId, digest: sha256Hex(key) };
}

/** Compares two hex digests in constant time. */
export function sameDigest(a: string, b: string): boolean {
  return a.length === b.length && timingSafeEqual(Buffer.from(a), Buffer.from(b));
}
