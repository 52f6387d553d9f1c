/**
 * One error type and one registry. A failure has a code; the registry maps the code to its HTTP status,
 * its title, the CLI's exit code, and whether trying again later can help.
 */

/** Whether the same call can succeed later without being changed. */
export type Retry = "never" | "later";

export interface ErrorDefinition {
  /** HTTP status, 400–599. */
  readonly status: number;
  /** One short sentence without data; the same for every occurrence. */
  readonly title: string;
  /** Exit code of the command line: 1–125, one per class of failure. */
  readonly exit: number;
  readonly retry: Retry;
}

/** Exit codes of the command line, by class of failure. 0 is success, 130 an interrupt. */
export const EXIT = {
  internal: 1,
  usage: 2,
  unreachable: 3,
  denied: 4,
  notFound: 5,
  conflict: 6,
  limited: 7,
  jobFailed: 8,
  receiptInvalid: 9,
  signerUnknown: 10,
  storage: 11,
  schemaNewer: 12,
  dataInUse: 13,
  unsupported: 14,
} as const;

const define = (status: number, title: string, exit: number, retry: Retry = "never"): ErrorDefinition => ({
  status,
  title,
  exit,
  retry,
});

/** Every code the program can answer with. Served as pages under `/errors/<code>`. */
export const ERRORS = {
  INTERNAL: define(500, "Internal error", EXIT.internal, "later"),
  MALFORMED_REQUEST: define(400, "The request is not valid HTTP", EXIT.usage),
  HEADERS_TOO_LARGE: define(431, "The headers are larger than the limit", EXIT.usage),
  MALFORMED_JSON: define(400, "The body is not valid JSON", EXIT.usage),
  INVALID_PAYLOAD: define(422, "A value is missing or not allowed", EXIT.usage),
  INVALID_ARGUMENT: define(400, "An argument is not allowed", EXIT.usage),
  INVALID_CONFIG: define(500, "The configuration is not valid", EXIT.usage),
  PAYLOAD_TOO_LARGE: define(413, "The body is larger than the limit", EXIT.usage),
  UNSUPPORTED_MEDIA_TYPE: define(415, "The body must be JSON", EXIT.usage),
  UNSUPPORTED_FEATURE: define(400, "The engine cannot do what was asked", EXIT.unsupported),
  UNAUTHORIZED_KEY: define(401, "The API key is missing or not valid", EXIT.denied),
  FORBIDDEN_KEY: define(403, "The API key may not do this", EXIT.denied),
  NOT_PERMITTED: define(403, "This user may not do this", EXIT.denied),
  ROUTE_NOT_FOUND: define(404, "There is no such route", EXIT.notFound),
  METHOD_NOT_ALLOWED: define(405, "The route does not have this method", EXIT.usage),
  JOB_NOT_FOUND: define(404, "There is no such job", EXIT.notFound),
  MINER_NOT_FOUND: define(404, "There is no such miner", EXIT.notFound),
  MINER_KEY_REQUIRED: define(403, "Miners must prove a signing key here", EXIT.denied),
  KEY_NOT_FOUND: define(404, "There is no such API key", EXIT.notFound),
  TEMPLATE_NOT_FOUND: define(404, "There is no such template", EXIT.notFound),
  TEMPLATE_EXISTS: define(409, "A template with this name exists", EXIT.conflict),
  ARTIFACT_NOT_FOUND: define(404, "There is no such artifact", EXIT.notFound),
  FILE_NOT_FOUND: define(404, "There is no such file", EXIT.notFound),
  BATCH_NOT_FOUND: define(404, "There is no such batch", EXIT.notFound),
  BATCH_FAILED: define(500, "The batch did not complete", EXIT.jobFailed),
  RANGE_NOT_SATISFIABLE: define(416, "The range lies outside the content", EXIT.usage),
  RECEIPT_NOT_FOUND: define(404, "There is no receipt", EXIT.notFound, "later"),
  JOB_NOT_READY: define(425, "The job has not ended yet", EXIT.conflict, "later"),
  CONFLICT_STATE: define(409, "The state of the job does not allow this", EXIT.conflict),
  STALE_LEASE: define(409, "The lease on the job is no longer held", EXIT.conflict),
  IDEMPOTENCY_MISMATCH: define(422, "The idempotency key was used with another body", EXIT.conflict),
  RATE_LIMITED: define(429, "Too many requests", EXIT.limited, "later"),
  LIMIT_EXCEEDED: define(429, "A limit of this deployment is reached", EXIT.limited, "later"),
  DEADLINE_UNREACHABLE: define(429, "The wait would exceed the deadline", EXIT.limited, "later"),
  NO_ELIGIBLE_MINER: define(503, "No miner can run this", EXIT.limited, "later"),
  JOB_FAILED: define(500, "The job failed", EXIT.jobFailed),
  JOB_CANCELED: define(409, "The job was canceled", EXIT.jobFailed),
  JOB_EXPIRED: define(409, "The job expired before a miner took it", EXIT.jobFailed, "later"),
  INVALID_SIGNATURE: define(400, "A signature does not verify", EXIT.receiptInvalid),
  INVALID_RECEIPT: define(400, "The receipt is not valid", EXIT.receiptInvalid),
  INVALID_BLOCK: define(400, "The block breaks a rule of the chain", EXIT.receiptInvalid),
  SIGNER_UNKNOWN: define(400, "The signature is valid, the signer is unknown", EXIT.signerUnknown),
  PROTOCOL_VIOLATION: define(400, "A frame does not follow the protocol", EXIT.internal),
  ENGINE_UNAVAILABLE: define(503, "The engine cannot run here", EXIT.unsupported, "later"),
  ENGINE_FAILED: define(500, "The engine failed", EXIT.jobFailed, "later"),
  UNKNOWN_METER: define(400, "The program cannot count by this meter", EXIT.unsupported),
  MODEL_NOT_FOUND: define(404, "The model is not known here", EXIT.notFound),
  WALLET_NOT_FOUND: define(404, "There is no such wallet", EXIT.notFound),
  WALLET_EXISTS: define(409, "A wallet with this id exists", EXIT.conflict),
  WALLET_LOCKED: define(403, "The wallet is locked", EXIT.denied),
  ACCOUNT_NOT_FOUND: define(404, "The wallet has no such account", EXIT.notFound),
  INVALID_CREDENTIALS: define(401, "The password is not right", EXIT.denied),
  PASSWORD_TOO_WEAK: define(400, "The password is too weak", EXIT.usage),
  SIGNING_REFUSED: define(400, "This cannot be signed as a plain message", EXIT.usage),
  KEYSTORE_DAMAGED: define(500, "The keystore file is damaged", EXIT.storage),
  SESSION_NOT_FOUND: define(404, "There is no such unlock session", EXIT.notFound),
  OUTSIDE_SCOPE: define(403, "The unlock session does not allow this", EXIT.denied),
  FORBIDDEN_ORIGIN: define(403, "Requests from there are not accepted", EXIT.denied),
  SIGNER_FAILED: define(503, "The process that holds the keys failed", EXIT.internal, "later"),
  UNREACHABLE: define(503, "The server cannot be reached", EXIT.unreachable, "later"),
  REQUEST_TIMEOUT: define(408, "The request took too long to arrive", EXIT.unreachable, "later"),
  TIMEOUT: define(504, "The call took too long", EXIT.unreachable, "later"),
  SHUTTING_DOWN: define(503, "The server is shutting down", EXIT.unreachable, "later"),
  OUTCOME_UNKNOWN: define(503, "The outcome of the write is unknown", EXIT.storage, "later"),
  STORAGE_UNAVAILABLE: define(503, "The database cannot be written", EXIT.storage, "later"),
  STORAGE_MISUSE: define(500, "The database was used against its rules", EXIT.internal),
  STORAGE_UNSAFE: define(500, "The database does not give the durability it must", EXIT.storage),
  SCHEMA_NEWER: define(500, "The database was written by a newer version", EXIT.schemaNewer),
  SCHEMA_CHANGED: define(500, "The database ran a migration that is not the released one", EXIT.storage),
  DATA_IN_USE: define(500, "The data directory is used by another process", EXIT.dataInUse),
  CACHE_UNUSABLE: define(500, "The cache directory cannot be used", EXIT.storage),
  DATA_UNWRITABLE: define(500, "The data directory cannot be written", EXIT.storage),
  BACKUP_INVALID: define(500, "The backup is not usable", EXIT.storage),
  INTERRUPTED: define(499, "Interrupted", 130),
} as const satisfies Record<string, ErrorDefinition>;

export type ErrorCode = keyof typeof ERRORS;

/** Flat, loggable data about one occurrence. Never holds prompts or secrets. */
export type ErrorMeta = Readonly<Record<string, string | number | boolean | null | readonly string[]>>;

/** The one error of the program. `message` is the detail shown to the caller (except for a 5xx over HTTP). */
export class AppError extends Error {
  readonly code: ErrorCode;
  readonly meta: ErrorMeta;

  constructor(code: ErrorCode, detail: string, options: { meta?: ErrorMeta; cause?: unknown } = {}) {
    super(detail, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = "AppError";
    this.code = code;
    this.meta = options.meta ?? {};
  }

  get definition(): ErrorDefinition {
    return ERRORS[this.code];
  }
}

/** Whether a text is a code of the registry. */
export function isErrorCode(value: unknown): value is ErrorCode {
  return typeof value === "string" && Object.hasOwn(ERRORS, value);
}

/** Returns an AppError unchanged and wraps anything else as INTERNAL, keeping it as the cause. */
export function toAppError(error: unknown): AppError {
  if (error instanceof AppError) return error;
  const message = error instanceof Error ? error.message : String(error);
  return new AppError("INTERNAL", message, { cause: error });
}

/** Marks a branch that the types rule out. */
export function unreachable(value: never): never {
  throw new AppError("INTERNAL", `unexpected value: ${JSON.stringify(value)}`);
}
