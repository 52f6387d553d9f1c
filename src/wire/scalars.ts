import { z } from "zod";
import { MAX_MODEL_NAME, MAX_NAME } from "./limits.ts";

/** 32 lower-case hex characters: a UUIDv7 without dashes. */
export const JobId = z
  .string()
  .regex(/^[0-9a-f]{32}$/, "must be 32 lower-case hex characters")
  .meta({
    description: "Id of a job: a UUIDv7 as 32 hex characters",
    example: "0199f3a2c4d17b0e8a52c1d07f3b6e94",
  });

/** A SHA-256 digest as lower-case hex. */
export const Sha256Hex = z.string().regex(/^[0-9a-f]{64}$/, "must be 64 lower-case hex characters");

/** Unpadded base64url, as keys and signatures are written. */
export const Base64Url = z
  .string()
  .max(128)
  .regex(/^[A-Za-z0-9_-]+$/, "must be unpadded base64url");

/** A model's name in printable ASCII, because it stands in signed documents. */
export const ModelName = z
  .string()
  .min(1)
  .max(MAX_MODEL_NAME)
  .regex(/^[\x21-\x7e]+$/, "must be printable ASCII without spaces")
  .meta({ description: "Name of a model", example: "aitbc-tiny" });

/** A name for people, in printable ASCII. */
export const DisplayName = z
  .string()
  .min(1)
  .max(MAX_NAME)
  .regex(/^[\x20-\x7e]+$/, "must be printable ASCII");

/** An `ait1…` address (bech32). */
export const Address = z
  .string()
  .max(90)
  .regex(/^ait1[02-9ac-hj-np-z]+$/, "must be an ait1… address");

/** A time as RFC 3339 in UTC with milliseconds. */
export const Timestamp = z.string().meta({ format: "date-time", example: "2026-11-21T06:00:00.000Z" });

/** Seconds whose text is kept. A prime: times that are whole minutes or hours apart share no place. */
const KEPT_SECONDS = 61;
const SECOND_MS = 1000;
const keptSeconds: ({ readonly second: number; readonly text: string } | undefined)[] = new Array(
  KEPT_SECONDS,
).fill(undefined);

/** Writes Unix ms as RFC 3339 in UTC with milliseconds. Throws RangeError outside the seconds that a Date holds. */
export function formatTime(unixMs: number): string {
  const second = Math.floor(unixMs / SECOND_MS);
  const place = ((second % KEPT_SECONDS) + KEPT_SECONDS) % KEPT_SECONDS;
  let kept = keptSeconds[place];
  if (kept?.second !== second) {
    // "2026-11-21T06:00:00." without the milliseconds and the Z.
    kept = { second, text: new Date(unixMs).toISOString().slice(0, -4) };
    keptSeconds[place] = kept;
  }
  return `${kept.text}${String(Math.trunc(unixMs - second * SECOND_MS)).padStart(3, "0")}Z`;
}

/** µAIT as a decimal string. */
export const AmountString = z
  .string()
  .regex(/^(0|[1-9][0-9]{0,18})$/, "must be a whole number of µAIT as a string");

/** Base units of one AIT: 1 AIT = 1,000,000 µAIT. */
const UAIT_PER_AIT = 1_000_000;
/** Largest legacy amount, in AIT: its µAIT stay exact in a JSON number. */
const MAX_LEGACY_AIT = 1e9;

/** A legacy amount: AIT as a JSON number with at most six decimals. `toUait` converts it exactly. */
export const LegacyAit = z
  .number()
  .min(0)
  .max(MAX_LEGACY_AIT)
  .refine((value) => /^\d+(\.\d{1,6})?$/.test(value.toString()) || Number.isInteger(value * UAIT_PER_AIT), {
    message: "must be AIT with at most six decimals",
  });

/** Converts a legacy AIT amount with at most six decimals to µAIT. */
export function toUait(ait: number): number {
  return Math.round(ait * UAIT_PER_AIT);
}
