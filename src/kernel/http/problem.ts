import { AppError, toAppError } from "../errors.ts";

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
}

/** Error codes of a 5xx whose detail helps the caller and gives nothing away. */
const SPOKEN_5XX: ReadonlySet<string> = new Set(["SHUTTING_DOWN", "NO_ELIGIBLE_MINER"]);

/** Writes an error as a problem document. */
function toProblem(error: unknown, requestId: string): Problem {
  const { code, definition, message, meta } = toAppError(error);
  const pointer = meta["pointer"];
  return {
    type: `/errors/${code}`,
    title: definition.title,
    status: definition.status,
    ...(definition.status < 500 || SPOKEN_5XX.has(code) ? { detail: message } : {}),
    instance: requestId,
    code,
    ...(typeof pointer === "string" ? { pointer } : {}),
  };
}

/** Seconds a caller is asked to wait before it repeats a call that can succeed later. */
const RETRY_AFTER_SECONDS = 1;

/** The HTTP answer for an error. */
export function problemResponse(error: unknown, requestId: string): Response {
  const problem = toProblem(error, requestId);
  const { definition, meta } = toAppError(error);
  const headers = new Headers({
    "content-type": "application/problem+json",
    "x-request-id": requestId,
    "cache-control": "no-store",
  });
  if (definition.retry === "later" && (problem.status === 429 || problem.status === 503)) {
    headers.set("retry-after", String(meta["retry_after_seconds"] ?? RETRY_AFTER_SECONDS));
  }
  if (problem.status === 401) headers.set("www-authenticate", "Bearer");
  return new Response(JSON.stringify(problem), { status: problem.status, headers });
}

/** Whether an error is the server's fault and belongs into its log with its cause. */
export function isServerFault(error: unknown): boolean {
  return !(error instanceof AppError) || error.definition.status >= 500;
}
