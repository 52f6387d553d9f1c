/** Amounts of µAIT: bigint in code, decimal text in documents. */
import { refuse } from "../consensus/read.ts";

/**
 * All µAIT that a chain ever issues, genesis included, stay below this. SQL arithmetic past 2^63 turns into
 * floating point; one bit less leaves room for the sum of two amounts.
 */
export const ISSUE_LIMIT = 2n ** 62n;

/** No sign, no leading zero, and no more digits than 2^62 − 1 has. */
const AMOUNT = /^(?:0|[1-9][0-9]{0,18})$/;

/** Reads an amount of `min` to 2^62 − 1 µAIT; the text stays as it is. Throws INVALID_PAYLOAD. */
export function readAmount(value: unknown, pointer: string, min: 0n | 1n = 0n): string {
  if (typeof value !== "string" || !AMOUNT.test(value)) return refuse(pointer, "an amount in whole µAIT");
  const amount = BigInt(value);
  return amount >= min && amount < ISSUE_LIMIT
    ? value
    : refuse(pointer, `an amount of ${min} to ${ISSUE_LIMIT - 1n} µAIT`);
}

/** Sum of amounts, in µAIT. */
export function sum(amounts: Iterable<bigint>): bigint {
  let total = 0n;
  for (const amount of amounts) total += amount;
  return total;
}
