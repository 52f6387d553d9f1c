/** Reads receipts of both versions, however they are indented, and finds the bytes that were signed. */
import { utf8 } from "../../crypto/bytes.ts";
import { parseStrictJson } from "../../crypto/canonical-json.ts";
import { canonicalizeLegacy, type JsonLexemeObject, parseJsonLexemes } from "../../crypto/legacy-json.ts";
import { AppError } from "../../kernel/errors.ts";
import { checkField, isObject } from "./check.ts";
import { LEGACY_RECEIPT, RECEIPT, type Receipt, type SignatureBlock } from "./fields.ts";
import { canonicalReceipt } from "./sign.ts";

/** Longest text of a receipt, in bytes: metadata may grow, a document of this size may not be one. */
export const MAX_RECEIPT_BYTES = 64 * 1024;

interface Parsed {
  /** The bytes that signature, attestations and hash cover. */
  readonly bytes: Uint8Array;
  readonly signature: SignatureBlock | undefined;
  readonly attestations: readonly SignatureBlock[];
}

export type ParsedReceipt =
  | (Parsed & { readonly version: "1.1"; readonly receipt: Receipt })
  | (Parsed & { readonly version: "1.0"; readonly receipt: JsonLexemeObject });

/** Reads the text of a receipt. Throws INVALID_RECEIPT with `meta.pointer` to the member at fault. */
export function parseReceipt(text: string): ParsedReceipt {
  try {
    const value = parseStrictJson(text, { maxBytes: MAX_RECEIPT_BYTES });
    return isObject(value) && value["version"] === "1.0"
      ? parseLegacy(text)
      : toParsed(receiptFromJson(value));
  } catch (error) {
    if (!(error instanceof AppError) || error.code === "INVALID_RECEIPT") throw error;
    throw new AppError("INVALID_RECEIPT", error.message, { meta: error.meta, cause: error });
  }
}

/** Checks JSON that was parsed already, as a receipt of version 1.1. Throws INVALID_RECEIPT with a pointer. */
export function receiptFromJson(value: unknown): Receipt {
  checkField(RECEIPT, value);
  // The description that was just checked is the one that the type is derived from.
  return value as Receipt;
}

function toParsed(receipt: Receipt): ParsedReceipt {
  return {
    version: "1.1",
    receipt,
    bytes: canonicalReceipt(receipt),
    signature: receipt.signature ?? undefined,
    attestations: receipt.attestations ?? [],
  };
}

function parseLegacy(text: string): ParsedReceipt {
  const value = parseJsonLexemes(text, { maxBytes: MAX_RECEIPT_BYTES });
  checkField(LEGACY_RECEIPT, value);
  // Checked against the description: an object, with these two members of these types.
  const receipt = value as JsonLexemeObject;
  const { signature, attestations } = value as {
    readonly signature?: SignatureBlock | null;
    readonly attestations?: readonly SignatureBlock[] | null;
  };
  return {
    version: "1.0",
    receipt,
    bytes: utf8(canonicalizeLegacy({ ...receipt, signature: null, attestations: null })),
    signature: signature ?? undefined,
    attestations: attestations ?? [],
  };
}
