import { AppError } from "../../kernel/errors.ts";

/** What existing clients expect to read when a wallet or its password is wrong. */
const INVALID_CREDENTIALS = "invalid credentials";

/**
 * An error of a call with a password as its caller may hear of it: a wallet that is not there and a wrong password
 * look the same.
 */
export function concealWallet(error: unknown): unknown {
  const isTold =
    !(error instanceof AppError) ||
    (error.code !== "WALLET_NOT_FOUND" && error.code !== "INVALID_CREDENTIALS");
  return isTold ? error : new AppError("INVALID_CREDENTIALS", INVALID_CREDENTIALS, { cause: error });
}

/** The smallest password, as a weak one's error tells it. */
export interface WeakPassword {
  readonly reason: "password_too_weak";
  readonly min_length: number;
  readonly message: string;
}

/** Length of the shortest password that can be strong, where the keystore's error does not say. */
const MIN_LENGTH = 12;

/** The members that existing clients read of a weak password's error; undefined for any other error. */
export function findWeakPassword(error: unknown): WeakPassword | undefined {
  if (!(error instanceof AppError) || error.code !== "PASSWORD_TOO_WEAK") return undefined;
  const length = error.meta["min_length"];
  return {
    reason: "password_too_weak",
    min_length: typeof length === "number" ? length : MIN_LENGTH,
    message: error.message,
  };
}
