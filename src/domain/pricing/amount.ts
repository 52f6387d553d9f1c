/** Amounts for people. */
import { AppError } from "../../kernel/errors.ts";

/** Base units (µAIT) of one AIT. */
const UAIT_PER_AIT = 1_000_000n;
const DECIMALS = 6;

/** Writes an amount of µAIT, 0 or more, as AIT, without needless zeros. */
export function formatAit(uait: bigint): string {
  const fraction = (uait % UAIT_PER_AIT).toString().padStart(DECIMALS, "0").replace(/0+$/, "");
  return `${uait / UAIT_PER_AIT}${fraction === "" ? "" : `.${fraction}`} AIT`;
}

/** Reads an amount of AIT with at most six decimals, exactly, as µAIT. Throws INVALID_ARGUMENT. */
export function parseAit(text: string): bigint {
  const [, whole, fraction = ""] = /^(\d{1,12})(?:\.(\d{1,6}))?$/.exec(text) ?? [];
  if (whole === undefined) {
    throw new AppError("INVALID_ARGUMENT", "an amount is a number of AIT with at most six decimals");
  }
  return BigInt(whole) * UAIT_PER_AIT + BigInt(fraction.padEnd(DECIMALS, "0"));
}
