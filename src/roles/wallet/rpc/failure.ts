import { AppError, type ErrorCode } from "../../../kernel/errors.ts";
import { toFailure } from "../../../kernel/http/problem.ts";
import { RPC_ERRORS, type RpcErrorObject } from "../../../wire/wallet/rpc.ts";
import { findWeakPassword } from "../errors.ts";

/** A call that names a method that there is not. */
export class UnknownMethod extends Error {}

/** The number and the fixed words of each error that a caller can do something about. */
const NUMBERS: Readonly<Partial<Record<ErrorCode, readonly [code: number, message: string]>>> = {
  INVALID_PAYLOAD: [RPC_ERRORS.invalidParams, "invalid params"],
  INVALID_ARGUMENT: [RPC_ERRORS.invalidParams, "invalid params"],
  PASSWORD_TOO_WEAK: [RPC_ERRORS.invalidParams, "invalid params"],
  SIGNING_REFUSED: [RPC_ERRORS.invalidParams, "invalid params"],
  INVALID_CREDENTIALS: [RPC_ERRORS.invalidCredentials, "invalid credentials"],
  WALLET_LOCKED: [RPC_ERRORS.notPermitted, "not permitted"],
  OUTSIDE_SCOPE: [RPC_ERRORS.notPermitted, "not permitted"],
  WALLET_EXISTS: [RPC_ERRORS.conflict, "conflict"],
  RECEIPT_NOT_FOUND: [RPC_ERRORS.receiptNotFound, "receipt not found"],
  RATE_LIMITED: [RPC_ERRORS.rateLimited, "rate limit exceeded"],
  LIMIT_EXCEEDED: [RPC_ERRORS.rateLimited, "rate limit exceeded"],
  WALLET_NOT_FOUND: [RPC_ERRORS.walletNotFound, "wallet not found"],
  ACCOUNT_NOT_FOUND: [RPC_ERRORS.walletNotFound, "account not found"],
};

/** An error as JSON-RPC tells it. `data` has the code of the registry, and what may be said of it. */
export function toRpcError(error: unknown, requestId: string): RpcErrorObject {
  if (error instanceof UnknownMethod) return { code: RPC_ERRORS.methodNotFound, message: "method not found" };
  const { code, detail, title, pointer } = toFailure(error, requestId);
  // Any code of a failure is one of the registry.
  const [number, message] = NUMBERS[code as ErrorCode] ?? [RPC_ERRORS.internal, "internal error"];
  const wait = error instanceof AppError ? error.meta["retry_after_seconds"] : undefined;
  return {
    code: number,
    message,
    data: {
      code,
      detail: detail ?? title,
      request_id: requestId,
      ...(pointer !== undefined && { pointer }),
      ...(typeof wait === "number" && { retry_after_seconds: wait }),
      ...findWeakPassword(error),
    },
  };
}
