import { utf8 } from "../../../crypto/bytes.ts";
import { AppError } from "../../../kernel/errors.ts";

/** How everything that the network itself signs begins, receipts aside (design §5). */
const DOMAIN_TAG = utf8("aitbc/");

/**
 * Refuses to sign what others could take for something else than a message: signed documents of the network, and
 * receipts, which alone are signed without a tag.
 * @throws AppError SIGNING_REFUSED
 */
export function checkRawMessage(message: Uint8Array): void {
  if (Buffer.compare(message.subarray(0, DOMAIN_TAG.length), DOMAIN_TAG) === 0) {
    throw new AppError("SIGNING_REFUSED", "the message begins like a signed document of the network: aitbc/");
  }
  if (isReceiptShaped(message)) {
    throw new AppError("SIGNING_REFUSED", "the message has the shape of a receipt, and would pass for one");
  }
}

/** Whether a verifier could read a receipt: a JSON object with `receipt_id`, or with `job_id` and `units`. */
function isReceiptShaped(message: Uint8Array): boolean {
  // Tolerant: bytes that are not UTF-8 become U+FFFD, and a byte order mark goes away.
  const text = new TextDecoder("utf-8").decode(message).trim();
  if (!text.startsWith("{")) return false;
  const names = memberNames(text);
  return names("receipt_id") || (names("job_id") && names("units"));
}

/** Tells whether a text names a member: of the object that it is, or, where it is no JSON, anywhere. */
function memberNames(text: string): (name: string) => boolean {
  try {
    const value: unknown = JSON.parse(text);
    return (name) => typeof value === "object" && value !== null && Object.hasOwn(value, name);
  } catch {
    // Other parsers take more than this one (NaN, comments, trailing commas), escapes in names included.
    const plain = text.replaceAll(/\\u([0-9a-f]{4})/gi, (_escape, hex) =>
      String.fromCharCode(Number.parseInt(hex, 16)),
    );
    return (name) => plain.includes(name);
  }
}
