import { AppError } from "../../../kernel/errors.ts";
import type { JsonValue } from "../../../kernel/json.ts";

/** Members that say how much a document moves, in µAIT, wherever they stand. */
const AMOUNT_MEMBERS: ReadonlySet<string> = new Set(["amount", "amount_uait"]);
const AMOUNT = /^(?:0|[1-9][0-9]{0,18})$/;

/**
 * What a document moves, in µAIT: the sum of its amounts.
 * @throws AppError INVALID_PAYLOAD for an amount that is no whole number
 */
export function amountOf(document: JsonValue): bigint {
  if (Array.isArray(document)) return document.reduce((sum, item) => sum + amountOf(item), 0n);
  if (typeof document !== "object" || document === null) return 0n;
  return Object.entries(document).reduce(
    (sum, [name, value]) => sum + (AMOUNT_MEMBERS.has(name) ? toAmount(name, value) : amountOf(value)),
    0n,
  );
}

function toAmount(name: string, value: JsonValue): bigint {
  const isAmount = typeof value === "number" ? Number.isSafeInteger(value) && value >= 0 : true;
  if ((typeof value === "string" || typeof value === "number") && isAmount && AMOUNT.test(String(value))) {
    return BigInt(value);
  }
  throw new AppError("INVALID_PAYLOAD", `document: ${name} must be a whole number of µAIT`, {
    meta: { pointer: "/document" },
  });
}
