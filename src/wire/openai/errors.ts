import { z } from "zod";
import type { ErrorFormat, Failure } from "../../kernel/http/contract.ts";

/** An error as OpenAI's API writes it. */
export const OpenAiError = z
  .object({
    error: z.object({
      message: z.string(),
      type: z.string(),
      param: z.string().nullable(),
      code: z.string().nullable(),
    }),
  })
  .meta({ id: "OpenAiError" });
export type OpenAiError = z.infer<typeof OpenAiError>;

const BAD_REQUEST = 400;
const UNPROCESSABLE = 422;

/** Writes an error as OpenAI's API does. Also for an error inside a stream, where nothing but the body counts. */
export function toOpenAiError(failure: Failure): OpenAiError {
  return {
    error: {
      message: messageOf(failure),
      type: typeOf(failure),
      param: paramOf(failure),
      code: codeOf(failure),
    },
  };
}

/** Errors as OpenAI's clients expect them. `x-should-retry` is what these ask before they repeat a call. */
export const OPENAI_ERRORS: ErrorFormat = {
  schema: OpenAiError,
  write: (failure) => ({
    json: toOpenAiError(failure),
    status: statusOf(failure),
    headers: { "x-should-retry": String(failure.retry === "later") },
  }),
};

/** What is wrong in a body is a 400 there. */
function statusOf({ status }: Failure): number {
  return status === UNPROCESSABLE ? BAD_REQUEST : status;
}

function messageOf({ detail, title, fault, pointer, requestId }: Failure): string {
  if (detail === undefined) return `${title}; say the request id ${requestId} when you ask about it`;
  if (!fault || pointer === undefined) return detail;
  const param = toParam(pointer);
  if (fault.kind === "unknown") return `Unrecognized request argument supplied: ${param}`;
  if (fault.kind === "missing") return `Missing required parameter: '${param}'.`;
  return `Invalid value for '${param}': ${fault.what}`;
}

const TYPES: Readonly<Record<number, string>> = {
  401: "authentication_error",
  403: "permission_error",
  429: "rate_limit_error",
};
const SERVER_ERROR = 500;

function typeOf({ status }: Failure): string {
  return TYPES[status] ?? (status >= SERVER_ERROR ? "server_error" : "invalid_request_error");
}

/** Codes that OpenAI's clients know under another name. */
const CODES: Readonly<Record<string, string>> = {
  UNAUTHORIZED_KEY: "invalid_api_key",
  MODEL_NOT_FOUND: "model_not_found",
  RATE_LIMITED: "rate_limit_exceeded",
  UNSUPPORTED_FEATURE: "unsupported_parameter",
};

function codeOf({ code, fault }: Failure): string {
  if (fault?.kind === "unknown") return "unknown_parameter";
  if (fault?.kind === "missing") return "missing_required_parameter";
  if (fault) return "invalid_value";
  return CODES[code] ?? code.toLowerCase();
}

function paramOf({ pointer, member }: Failure): string | null {
  if (pointer !== undefined) return toParam(pointer);
  return member ?? null;
}

/** `/messages/0/content` as `messages[0].content`. */
function toParam(pointer: string): string {
  return pointer
    .split("/")
    .slice(1)
    .map((part) => part.replaceAll("~1", "/").replaceAll("~0", "~"))
    .map((part, index) => (/^\d+$/.test(part) ? `[${part}]` : `${index === 0 ? "" : "."}${part}`))
    .join("");
}
