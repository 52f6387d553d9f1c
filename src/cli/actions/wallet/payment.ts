import { isAddress } from "../../../crypto/address.ts";
import { formatAit, parseAit } from "../../../domain/pricing/amount.ts";
import { formatPaymentUri } from "../../../domain/pricing/payment-uri.ts";
import { formatRecord, printResult } from "../../format.ts";
import { canPaint, type Io } from "../../io.ts";
import type { GlobalOptions } from "../../options.ts";
import { openKeystore } from "./open.ts";

export interface PaymentOptions extends GlobalOptions {
  readonly amount?: string;
  readonly memo?: string;
  /** Absent with --no-qr. */
  readonly qr?: boolean;
}

/** Bright white on black: cameras want light where a code is light, whatever the terminal's colours are. */
const LIGHT_ON_DARK = ["\u001b[97;40m", "\u001b[0m"] as const;
/** Light modules around a code: ISO/IEC 18004 asks for four, and readers are content with two. */
const QUIET_ZONE = 2;

/** Prints a payment request: a URI, and the same as a QR code for a phone. `of` is a wallet or an address. */
export async function requestPayment(io: Io, of: string, options: PaymentOptions): Promise<void> {
  const address = isAddress(of) ? of : (await (await openKeystore(io, options)).get(of)).address;
  const amount = options.amount === undefined ? undefined : parseAit(options.amount);
  const uri = formatPaymentUri({ address, amountUait: amount, memo: options.memo });
  const value = {
    uri,
    address,
    amount_uait: amount === undefined ? null : String(amount),
    memo: options.memo ?? null,
  };
  const code = options.qr === false ? "" : `\n\n${await drawCode(io, uri)}`;
  await printResult(io, options.output ?? "table", value, () => {
    const record = formatRecord([
      ["pay to", address],
      ["amount", amount === undefined ? undefined : formatAit(amount)],
      ["memo", options.memo],
      ["uri", uri],
    ]);
    return record + code;
  });
}

async function drawCode(io: Io, text: string): Promise<string> {
  const { renderUnicodeCompact } = await import("uqr");
  const lines = renderUnicodeCompact(text, { ecc: "M", border: QUIET_ZONE }).split("\n");
  const [start, end] = canPaint(io.stdout, io.env) ? LIGHT_ON_DARK : ["", ""];
  return lines.map((line) => start + line + end).join("\n");
}
