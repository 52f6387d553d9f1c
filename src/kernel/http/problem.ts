import { AppError, type ErrorMeta, toAppError } from "../errors.ts";
import type { ErrorFormat, Failure } from "./contract.ts";

/** A problem document (RFC 9457) with the members that every error answer of this program has. */
export interface Problem {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  /** What is wrong and what to do. Absent for a 5xx, whose cause is nobody's business outside. */
  readonly detail?: string;
  /** Id of the request, as in `X-Request-Id` and in the log. */
  readonly instance: string;
  readonly code: string;
  /** Where in the body the fault is (RFC 6901). */
  readonly pointer?: string;
  /** Numbers that belong to the failure, such as a place in a queue; their names are those of its code. */
  readonly [name: string]: unknown;
}

/** Error codes of a 5xx whose detail helps the caller and gives nothing away. */
const SPOKEN_5XX: ReadonlySet<string> = new Set(["SHUTTING_DOWN", "NO_ELIGIBLE_MINER", "JOB_FAILED"]);

/** What a caller may hear of an error. */
export function toFailure(error: unknown, requestId: string): Failure {
  const { code, definition, message, meta } = toAppError(error);
  const { pointer, member, fault, what } = meta;
  const isFault = fault === "missing" || fault === "unknown" || fault === "invalid";
  return {
    status: definition.status,
    code,
    title: definition.title,
    ...(definition.status < 500 || SPOKEN_5XX.has(code) ? { detail: message } : {}),
    ...(isFault && typeof what === "string" ? { fault: { kind: fault, what } } : {}),
    ...(typeof pointer === "string" ? { pointer } : {}),
    ...(typeof member === "string" ? { member } : {}),
    ...toNumbers(meta),
    retry: definition.retry,
    requestId,
  };
}

/** Members of an error's meta that belong into its problem document: those that its code names. */
const NUMBERS: ReadonlySet<string> = new Set(["position", "eta_p50_ms", "eta_p90_ms", "deadline_ms"]);

function toNumbers(meta: ErrorMeta): Pick<Failure, "numbers"> {
  const numbers = Object.entries(meta).filter(
    (entry): entry is [string, number] => NUMBERS.has(entry[0]) && typeof entry[1] === "number",
  );
  return numbers.length > 0 ? { numbers: Object.fromEntries(numbers) } : {};
}

/** Writes a failure as a problem document. */
function toProblem({ code, title, status, detail, requestId, pointer, numbers }: Failure): Problem {
  return {
    ...numbers,
    type: `/errors/${code}`,
    title,
    status,
    ...(detail !== undefined && { detail }),
    instance: requestId,
    code,
    ...(pointer !== undefined && { pointer }),
  };
}

/** Seconds a caller is asked to wait before it repeats a call that can succeed later. */
const RETRY_AFTER_SECONDS = 1;

/** The HTTP answer for an error: a problem document, or in the format of the API that was called. */
export function problemResponse(error: unknown, requestId: string, format?: ErrorFormat): Response {
  const failure = toFailure(error, requestId);
  const { meta } = toAppError(error);
  const written = format?.write(failure);
  const status = written?.status ?? failure.status;
  const headers = new Headers({
    "content-type": written ? "application/json" : "application/problem+json",
    "x-request-id": requestId,
    "cache-control": "no-store",
    ...written?.headers,
  });
  if (failure.retry === "later" && (status === 429 || status === 503)) {
    headers.set("retry-after", String(meta["retry_after_seconds"] ?? RETRY_AFTER_SECONDS));
  }
  if (status === 401) headers.set("www-authenticate", "Bearer");
  return new Response(JSON.stringify(written ? written.json : toProblem(failure)), { status, headers });
}

/** Whether an error is the server's fault and belongs into its log with its cause. */
export function isServerFault(error: unknown): boolean {
  return !(error instanceof AppError) || (error.definition.status >= 500 && !SPOKEN_5XX.has(error.code));
}
