import { type Canonicalizable, canonicalize } from "../../crypto/canonical-json.ts";
import { sha256Hex } from "../../crypto/hash.ts";

/**
 * Hash of a request: SHA-256 (hex) of its payload after RFC 8785. Terms carry it, and receipts as
 * `prompt_hash`; so a client can show later what it asked, and nobody else learns it.
 */
export function requestHash(payload: Canonicalizable): string {
  return sha256Hex(canonicalize(payload));
}
