import { z } from "zod";
import { AppError } from "../../../kernel/errors.ts";

/** Safe as the name of a file everywhere: no separators, no leading dot, no space. */
const WALLET_ID = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;

export const WalletId = z.string().regex(WALLET_ID);

/** Returns a wallet's id. @throws AppError INVALID_ARGUMENT for a text that cannot be one. */
export function checkWalletId(text: string): string {
  if (WALLET_ID.test(text)) return text;
  throw new AppError(
    "INVALID_ARGUMENT",
    "a wallet id has 1 to 64 letters, digits, dots, dashes and underscores, and begins with a letter or digit",
    { meta: { argument: "wallet_id" } },
  );
}
