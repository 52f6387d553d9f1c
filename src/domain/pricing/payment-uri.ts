/** Payment requests as a URI, after BIP-21: `aitbc:<address>?amount=1.5&memo=…`. */
import { parseAddress } from "../../crypto/address.ts";
import { AppError } from "../../kernel/errors.ts";
import { formatAit } from "./amount.ts";

/** Longest memo, in characters: the URI still makes a code that phones read from a screen. */
const MAX_MEMO = 200;

export interface PaymentRequest {
  readonly address: string;
  /** More than 0; undefined where the payer decides. */
  readonly amountUait: bigint | undefined;
  readonly memo: string | undefined;
}

/** Writes a payment request. The amount is in AIT. Throws INVALID_ARGUMENT. */
export function formatPaymentUri({ address, amountUait, memo }: PaymentRequest): string {
  parseAddress(address);
  if (amountUait !== undefined && amountUait <= 0n) throw refuse("an amount is more than 0");
  if (memo !== undefined && (memo.length > MAX_MEMO || !/^\P{C}*$/u.test(memo))) {
    throw refuse(`a memo is one line of at most ${MAX_MEMO} printable characters`);
  }
  const members = [
    ...(amountUait === undefined ? [] : [`amount=${formatAit(amountUait).replace(" AIT", "")}`]),
    ...(memo === undefined || memo === "" ? [] : [`memo=${encodeURIComponent(memo)}`]),
  ];
  return `aitbc:${address}${members.length === 0 ? "" : `?${members.join("&")}`}`;
}

const refuse = (problem: string): AppError => new AppError("INVALID_ARGUMENT", problem);
