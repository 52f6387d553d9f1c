import { AppError } from "../kernel/errors.ts";

/** One thing that is wrong with the configuration, as a whole sentence for people. */
export type ConfigProblem = string;

/** Longest value that an error repeats, in characters: enough to recognise it. */
const MAX_SHOWN_VALUE = 80;

/** What stands in the place of a secret. */
export const MASK = "********";

/** Passwords in the user part of a URL (RFC 3986 §3.2.1), as in `postgres://name:password@host/`. */
const URL_PASSWORD = /(:\/\/[^/?#\s:@]*:)[^/?#\s]*@/g;

/** Writes a value for people: secrets masked, long ones shortened. */
export function showValue(value: unknown, secret: boolean): string {
  if (secret) return MASK;
  const text = (JSON.stringify(value) ?? "(none)").replaceAll(URL_PASSWORD, `$1${MASK}@`);
  return text.length > MAX_SHOWN_VALUE ? `${text.slice(0, MAX_SHOWN_VALUE)}…` : text;
}

/** Joins problems into one error: the first is the detail, `meta.problems` holds all of them. */
export function configError(problems: readonly ConfigProblem[], cause?: unknown): AppError {
  const more = problems.length > 1 ? ` (and ${problems.length - 1} more: aitbc config validate)` : "";
  return new AppError("INVALID_CONFIG", `${problems[0] ?? "the configuration is not valid"}${more}`, {
    meta: { problems },
    ...(cause === undefined ? {} : { cause }),
  });
}
