import type { KeyKind } from "../../wire/access.ts";

/** API keys. The key itself is never stored. */
export interface KeyTable {
  key_id: string;
  kind: KeyKind;
  name: string;
  owner_id: string;
  /** SHA-256 of the whole key, as hex: keys carry 256 random bits, so a fast hash is enough. */
  digest: string;
  created_at: number;
  revoked_at: number | null;
}

export interface AccessTables {
  access_key: KeyTable;
}
