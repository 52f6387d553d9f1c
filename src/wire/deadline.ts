import { z } from "zod";
import { MAX_TTL_SECONDS } from "./limits.ts";

const MS_PER_SECOND = 1000;

/** Header by which any call that makes a job gives it a deadline; a member of the body goes before it. */
export const DEADLINE_HEADER = "x-aitbc-deadline-ms";

/** The header's value: whole milliseconds. */
export const DeadlineMs = z
  .string()
  .regex(/^[1-9][0-9]{0,7}$/, "must be whole milliseconds, at most 8 digits")
  .meta({ description: "As `deadline_seconds` of a submission, in milliseconds" });

/** Reads the header; undefined without one. */
export function toDeadlineSeconds(header: string | undefined): number | undefined {
  return header === undefined ? undefined : Math.min(Number(header) / MS_PER_SECOND, MAX_TTL_SECONDS);
}
