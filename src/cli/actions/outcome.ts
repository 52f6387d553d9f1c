import { AppError, type ErrorCode } from "../../kernel/errors.ts";

const CODE_OF_STATE: Readonly<Record<string, ErrorCode>> = {
  FAILED: "JOB_FAILED",
  CANCELED: "JOB_CANCELED",
  EXPIRED: "JOB_EXPIRED",
};

const TEXT_OF_STATE: Readonly<Record<string, string>> = {
  FAILED: "failed",
  CANCELED: "was canceled",
  EXPIRED: "expired before a miner took it",
};

/** The error of a job that ended otherwise than completed; undefined for a completed one. */
export function outcomeError(jobId: string, state: string, error: string | null): AppError | undefined {
  const code = CODE_OF_STATE[state];
  if (code === undefined) return undefined;
  const reason = error === null ? "" : `: ${error}`;
  return new AppError(code, `job ${jobId} ${TEXT_OF_STATE[state]}${reason}`, {
    meta: {
      hint:
        code === "JOB_EXPIRED"
          ? "wait longer with --ttl, or start a miner"
          : `aitbc client status ${jobId} says more`,
    },
  });
}
