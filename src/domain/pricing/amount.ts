/** Amounts for people. */

/** Base units (µAIT) of one AIT. */
const UAIT_PER_AIT = 1_000_000n;
const DECIMALS = 6;

/** Writes an amount of µAIT, 0 or more, as AIT, without needless zeros. */
export function formatAit(uait: bigint): string {
  const fraction = (uait % UAIT_PER_AIT).toString().padStart(DECIMALS, "0").replace(/0+$/, "");
  return `${uait / UAIT_PER_AIT}${fraction === "" ? "" : `.${fraction}`} AIT`;
}
