/** Turns what can go wrong on the way to a daemon into the program's own errors. */
import { AppError, type ErrorCode, isErrorCode } from "../kernel/errors.ts";
import { parseJson } from "../kernel/json.ts";
import { isLoopback } from "../kernel/loopback.ts";

/** Codes for answers that carry none of ours: a proxy's, or another server's. */
const CODE_OF_STATUS: Readonly<Record<number, ErrorCode>> = {
  400: "INVALID_ARGUMENT",
  401: "UNAUTHORIZED_KEY",
  403: "FORBIDDEN_KEY",
  404: "ROUTE_NOT_FOUND",
  409: "CONFLICT_STATE",
  413: "PAYLOAD_TOO_LARGE",
  415: "UNSUPPORTED_MEDIA_TYPE",
  422: "INVALID_PAYLOAD",
  425: "JOB_NOT_READY",
  429: "RATE_LIMITED",
  502: "UNREACHABLE",
  503: "UNREACHABLE",
  504: "TIMEOUT",
};

/** The error code of a status without a problem document. */
export function codeOfStatus(status: number): ErrorCode {
  return CODE_OF_STATUS[status] ?? "INTERNAL";
}

type Members = Readonly<Record<string, unknown>>;

function readMembers(text: string): Members {
  try {
    const value = parseJson(text);
    return typeof value === "object" && value !== null && !Array.isArray(value) ? value : {};
  } catch {
    return {};
  }
}

/** What an error in the shape of OpenAI's API tells; its code is one of ours in lower case, if it is one. */
function readOpenAiError({ error }: Members): { code?: string; message?: string | undefined } {
  if (typeof error !== "object" || error === null) return {};
  const { code, message } = error as Members;
  return { message: textOf(message), ...(typeof code === "string" && { code: code.toUpperCase() }) };
}

const textOf = (value: unknown): string | undefined =>
  typeof value === "string" && value !== "" ? value : undefined;

/**
 * The error of an answer that is no success. A problem document (RFC 9457) keeps its code, detail and request
 * id, an error in OpenAI's shape its message; anything else is told by its status. `meta.retry_after_seconds` is the server's Retry-After.
 */
export function problemToError(response: Response, text: string): AppError {
  const members = readMembers(text);
  const told = readOpenAiError(members);
  const code = [members["code"], told.code].find(isErrorCode) ?? codeOfStatus(response.status);
  const detail =
    textOf(members["detail"]) ??
    told.message ??
    textOf(members["title"]) ??
    `the server answered with ${response.status}`;
  const retryAfter = Number(response.headers.get("retry-after") ?? Number.NaN);
  const instance = textOf(members["instance"]);
  const pointer = textOf(members["pointer"]);
  return new AppError(code, detail, {
    meta: {
      status: response.status,
      ...(instance === undefined ? {} : { request_id: instance }),
      ...(pointer === undefined ? {} : { pointer }),
      ...(Number.isFinite(retryAfter) ? { retry_after_seconds: retryAfter } : {}),
    },
  });
}

/** What the operating system says when nothing can be reached, and how it reads for people. */
const REASONS: Readonly<Record<string, string>> = {
  ECONNREFUSED: "nothing listens there",
  ENOTFOUND: "there is no such host",
  EAI_AGAIN: "the host name cannot be looked up now",
  EHOSTUNREACH: "the host cannot be reached",
  ENETUNREACH: "the network cannot be reached",
  ECONNRESET: "the connection broke",
  EPIPE: "the connection broke",
  UND_ERR_SOCKET: "the connection broke",
  ETIMEDOUT: "it did not answer in time",
  UND_ERR_CONNECT_TIMEOUT: "it did not answer in time",
};

/** Reasons that a moment later may be gone, because somebody was there. */
const BROKEN: ReadonlySet<string> = new Set(["ECONNRESET", "EPIPE", "UND_ERR_SOCKET"]);

/** The message at the bottom of a chain of causes: the ones above it only say that something failed. */
function rootMessage(error: unknown): string {
  let message = String(error);
  for (let cause = error; cause instanceof Error; cause = cause.cause) message = cause.message || message;
  return message;
}

function systemCode(error: unknown): string | undefined {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    if ("code" in cause && typeof cause.code === "string") return cause.code;
  }
  return undefined;
}

/** The error of a connection that did not come about or broke. `meta.broken` marks one that had been there. */
export function unreachableError(url: string, cause: unknown): AppError {
  const code = systemCode(cause) ?? "";
  const reason = REASONS[code] ?? rootMessage(cause);
  const hint = isLoopback(url) ? "start it with: aitbc serve" : "check the URL (--url or AITBC_URL)";
  return new AppError("UNREACHABLE", `no daemon answers at ${url}: ${reason}`, {
    meta: { hint, broken: BROKEN.has(code) },
    cause,
  });
}

/** The error of a call that took longer than its limit. */
export function timeoutError(url: string, timeoutMs: number, cause: unknown): AppError {
  return new AppError("TIMEOUT", `${url} did not answer within ${timeoutMs / 1000} s`, {
    meta: { hint: "try again, or wait longer with --timeout SECONDS" },
    cause,
  });
}
