/**
 * Reads parsed JSON as documents with exactly the members that are described: one more or one less is refused,
 * so that two programs never hold different documents under one hash.
 */
import { AppError } from "../../kernel/errors.ts";

/** Lower-case hex of a SHA-256. */
export const HASH = /^[0-9a-f]{64}$/;
/** Unpadded base64url of 64 bytes; the last character's unused bits are zero. */
export const SIGNATURE = /^[A-Za-z0-9_-]{85}[AQgw]$/;
/** Unpadded base64url of 32 bytes. */
export const PUBLIC_KEY = /^[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]$/;
/** The shape of an address. Whether it is a member of a set is decided by comparing, which needs no more. */
export const ADDRESS = /^ait1[02-9ac-hj-np-z]{6,80}$/;

export type Members<Name extends string> = Readonly<Record<Name, unknown>>;

/** Throws INVALID_PAYLOAD with a pointer (RFC 6901) to what is wrong. */
export function refuse(pointer: string, expected: string): never {
  throw new AppError(
    "INVALID_PAYLOAD",
    `${pointer === "" ? "the document" : pointer}: expected ${expected}`,
    {
      meta: { pointer },
    },
  );
}

/** An object with exactly these members. `optional` ones may be absent, and are then undefined. */
export function readMembers<Name extends string>(
  value: unknown,
  pointer: string,
  names: readonly Name[],
  optional: readonly NoInfer<Name>[] = [],
): Members<Name> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) refuse(pointer, "an object");
  for (const name of Object.keys(value)) {
    if (!names.some((known) => known === name)) refuse(`${pointer}/${name}`, "no such member");
  }
  for (const name of names) {
    if (!Object.hasOwn(value, name) && !optional.includes(name)) refuse(`${pointer}/${name}`, "a value");
  }
  // Each of the names was just looked for, and no other is there.
  return value as Members<Name>;
}

/** A text that matches as a whole. */
export function readText(value: unknown, pointer: string, regex: RegExp): string {
  return typeof value === "string" && regex.test(value)
    ? value
    : refuse(pointer, `a text like ${regex.source}`);
}

/** A whole number, `min` or more. */
export function readInteger(value: unknown, pointer: string, min = 0): number {
  return Number.isSafeInteger(value) && Number(value) >= min
    ? Number(value)
    : refuse(pointer, `a whole number, at least ${min}`);
}

/** One of the given values. */
export function readOneOf<const Value extends string | number>(
  value: unknown,
  pointer: string,
  values: readonly Value[],
): Value {
  return values.find((one) => one === value) ?? refuse(pointer, values.join(" or "));
}

/** A list of at most `max` items, each read by `item`. */
export function readList<Item>(
  value: unknown,
  pointer: string,
  max: number,
  item: (value: unknown, pointer: string) => Item,
): readonly Item[] {
  if (!Array.isArray(value) || value.length > max) return refuse(pointer, `a list of at most ${max}`);
  return value.map((one: unknown, index) => item(one, `${pointer}/${index}`));
}
