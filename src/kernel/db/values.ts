import { AppError } from "../errors.ts";

/** Columns whose name ends so hold amounts, and are always read as bigint. */
const AMOUNT_SUFFIX = "_uait";

/** A value as SQLite binds it. */
type Bound = string | bigint | number | Uint8Array | null;

/**
 * Turns parameters into what SQLite stores without surprise: integers as integers (a JavaScript number would
 * be bound as a float, and `? / 2` would be a fraction), booleans as 0 and 1. Errors: STORAGE_MISUSE for an
 * undefined value, an integer past 2^53 given as a number, or an object.
 */
export function bindValues(parameters: readonly unknown[]): Bound[] {
  const bound: Bound[] = new Array(parameters.length);
  for (let index = 0; index < parameters.length; index++) bound[index] = bindValue(parameters[index], index);
  return bound;
}

function bindValue(value: unknown, index: number): Bound {
  switch (typeof value) {
    case "string":
    case "bigint":
      return value;
    case "number":
      return Number.isInteger(value) ? bindInteger(value, index) : value;
    case "boolean":
      return value ? 1n : 0n;
    default:
      if (value === null || value instanceof Uint8Array) return value;
      throw new AppError(
        "STORAGE_MISUSE",
        `parameter ${index + 1} is ${typeof value}, which has no SQL form`,
      );
  }
}

/** Bigints of small integers. */
const SMALL: readonly bigint[] = Array.from({ length: 256 }, (_, value) => BigInt(value));
/**
 * Bigints of the integers that were bound last, by their last bits: the times of a batch are a few, and prices and
 * limits are the same from row to row. Making a bigint costs more than all else that is done with a value.
 */
const RECENT = 256;
const recentNumbers = new Float64Array(RECENT);
const recentBigints: bigint[] = new Array<bigint>(RECENT).fill(0n);

function bindInteger(value: number, index: number): bigint {
  const small = SMALL[value];
  if (small !== undefined) return small;
  if (!Number.isSafeInteger(value)) {
    throw new AppError("STORAGE_MISUSE", `parameter ${index + 1} passes 2^53 and must be a bigint`);
  }
  const place = value & (RECENT - 1);
  if (recentNumbers[place] !== value) {
    recentNumbers[place] = value;
    recentBigints[place] = BigInt(value);
  }
  // Filled from the start, with the bigint of the number beside it.
  return recentBigints[place] as bigint;
}

/** Whether a statement with these columns must be read with every digit of its integers. */
export function hasAmounts(columns: readonly string[]): boolean {
  return columns.some((name) => name.endsWith(AMOUNT_SUFFIX));
}

type Row = Record<string, unknown>;
type Converter = (row: Row) => void;

/**
 * Makes the check that each row passes: `…_uait` columns are bigint, other integers are numbers, and digits
 * are never lost in silence. Errors (by the converter): STORAGE_MISUSE.
 */
export function createConverter(columns: readonly string[]): Converter {
  const amounts = columns.filter((name) => name.endsWith(AMOUNT_SUFFIX));
  const others = columns.filter((name) => !name.endsWith(AMOUNT_SUFFIX));
  return (row) => {
    for (const name of others) {
      const value = row[name];
      if (typeof value === "number") checkDigits(value, name);
      else if (typeof value === "bigint") row[name] = checkDigits(Number(value), name);
    }
    for (const name of amounts) {
      // SQL arithmetic past 2^63 gives a float.
      if (typeof row[name] === "number") throw lostDigits(name);
    }
  };
}

function checkDigits(value: number, column: string): number {
  if (Number.isInteger(value) && !Number.isSafeInteger(value)) throw lostDigits(column);
  return value;
}

function lostDigits(column: string): AppError {
  return new AppError("STORAGE_MISUSE", `column ${column} holds a number that loses digits when read`, {
    meta: { column },
  });
}
