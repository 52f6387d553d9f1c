import { type AppError, type ErrorCode, toAppError } from "../kernel/errors.ts";
import { type Io, writeLine } from "./io.ts";
import { painter } from "./style.ts";

/** What to do about an error, where the error itself does not say. */
const HINTS: Partial<Readonly<Record<ErrorCode, string>>> = {
  UNAUTHORIZED_KEY: "set AITBC_API_KEY, or run the command on the daemon's machine with the same --data-dir",
  FORBIDDEN_KEY: "this needs another kind of key; aitbc keys list shows which there are",
  JOB_NOT_FOUND: "check the job's id; only the key that submitted a job, or an admin key, sees it",
  JOB_NOT_READY: "wait for it: aitbc client result JOB --wait",
  RECEIPT_NOT_FOUND: "a receipt is there once a miner has delivered; see aitbc client status JOB",
  RATE_LIMITED: "wait a moment and try again",
  NO_ELIGIBLE_MINER: "start a miner: aitbc miner start",
  DATA_IN_USE: "stop it first, or choose another --data-dir",
  SCHEMA_NEWER: "use the version of aitbc that wrote it, or a newer one",
  OUTCOME_UNKNOWN: "look whether it happened before you try again",
  INTERNAL: "the daemon's log says more; --debug shows where it happened here",
};

/** Further lines of an error: the other problems of a configuration. */
function detailsOf(error: AppError): readonly string[] {
  const problems = error.meta["problems"];
  return Array.isArray(problems) ? problems.slice(1) : [];
}

/** Prints an error for people on stderr and returns the exit code of its class. */
export function reportError(io: Io, thrown: unknown, debug: boolean): number {
  const error = toAppError(thrown);
  const paint = painter(io.stderr, io.env);
  const hint = error.meta["hint"] ?? HINTS[error.code];
  io.stderr.write(paint("red", "error: "));
  writeLine(io.stderr, `${error.message} [${error.code}]`);
  for (const detail of detailsOf(error)) writeLine(io.stderr, `  also: ${detail}`);
  if (typeof hint === "string") writeLine(io.stderr, `  → ${hint}`);
  const requestId = error.meta["request_id"];
  if (typeof requestId === "string" && debug) writeLine(io.stderr, `  request ${requestId}`);
  if (debug)
    for (let cause: unknown = error; cause instanceof Error; cause = cause.cause)
      writeLine(io.stderr, cause.stack ?? "");
  return error.definition.exit;
}
