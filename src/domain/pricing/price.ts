/** Prices: whole µAIT per 1,000,000 units, rounded up once on a job's total. */
import { AppError } from "../../kernel/errors.ts";

const UNITS_PER_PRICE = 1_000_000n;

function checkAmount(name: string, value: bigint): void {
  if (value < 0n) throw new AppError("INVALID_ARGUMENT", `${name}: must not be negative`);
}

/** µAIT for so many units. */
export function totalPrice(units: bigint, priceUaitPerMillionUnits: bigint): bigint {
  checkAmount("units", units);
  checkAmount("priceUaitPerMillionUnits", priceUaitPerMillionUnits);
  return (units * priceUaitPerMillionUnits + UNITS_PER_PRICE - 1n) / UNITS_PER_PRICE;
}

/**
 * µAIT for a segment of `units` after `settledUnits` of the same job were settled: the difference of two
 * totals, so that the segments of a job add up to the price of the whole, however it was cut.
 */
export function segmentPrice(settledUnits: bigint, units: bigint, priceUaitPerMillionUnits: bigint): bigint {
  checkAmount("units", units);
  return (
    totalPrice(settledUnits + units, priceUaitPerMillionUnits) -
    totalPrice(settledUnits, priceUaitPerMillionUnits)
  );
}
