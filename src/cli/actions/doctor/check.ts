import { setTimeout as sleep } from "node:timers/promises";
import { type ErrorCode, toAppError } from "../../../kernel/errors.ts";

/** `info` is neither good nor bad: it tells what is there. */
export type Status = "ok" | "info" | "warn" | "fail";

/** What a check found. */
export interface Finding {
  readonly status: Status;
  /** What was found, for people. */
  readonly found: string;
  /** What to do about it; for warnings and failures. */
  readonly mend?: string;
  /** The error that a command would end with; for failures. */
  readonly code?: ErrorCode;
}

/** One thing to look at. It leaves everything as it was. */
export interface Check {
  /** Stable name, in snake case. */
  readonly name: string;
  /** Looks. The signal aborts when the time is over. What it throws is a failure. */
  run(signal: AbortSignal): Finding | Promise<Finding>;
}

/** A check and what it found, as `--output json` prints it. */
export interface CheckResult {
  readonly check: string;
  readonly status: Status;
  readonly found: string;
  readonly mend: string | null;
  readonly code: ErrorCode | null;
}

/** What is done about an error that says nothing of its own. */
const ASK_AGAIN = "run aitbc doctor again with --debug, and read the daemon's log";

export const ok = (found: string): Finding => ({ status: "ok", found });
export const info = (found: string): Finding => ({ status: "info", found });
export const warn = (found: string, mend: string): Finding => ({ status: "warn", found, mend });
export const fail = (code: ErrorCode, found: string, mend: string): Finding => ({
  status: "fail",
  found,
  mend,
  code,
});

/** An error as a failure, with the advice that it carries. */
export function failWith(thrown: unknown, mend?: string): Finding {
  const error = toAppError(thrown);
  const hint = error.meta["hint"];
  return fail(error.code, error.message, mend ?? (typeof hint === "string" ? hint : ASK_AGAIN));
}

/** Runs one check within `limitMs`, and never throws. */
export async function runCheck(check: Check, limitMs: number): Promise<CheckResult> {
  const over = new AbortController();
  const timer = new AbortController();
  const late = sleep(limitMs, undefined, { signal: timer.signal }).then(() => {
    over.abort();
    const found = `gave no result within ${limitMs / 1000} s`;
    return fail("TIMEOUT", found, "something here hangs: look at the disk, the driver or the network");
  });
  late.catch(() => {});
  try {
    const finding = await Promise.race([attempt(check, over.signal), late]);
    const { status, found, mend = null, code = null } = finding;
    return { check: check.name, status, found, mend, code };
  } finally {
    timer.abort();
  }
}

async function attempt(check: Check, signal: AbortSignal): Promise<Finding> {
  try {
    return await check.run(signal);
  } catch (error) {
    return failWith(error);
  }
}
