import type { Receipt } from "../../client/client.ts";
import { formatAit } from "../../domain/pricing/amount.ts";
import { formatRecord, printResult } from "../format.ts";
import type { Io } from "../io.ts";
import type { GlobalOptions } from "../options.ts";
import { openClient } from "../session.ts";

const has = (value: unknown): boolean =>
  Array.isArray(value) ? value.length > 0 : value !== undefined && value !== null;

/** Price of a receipt for people; receipts carry whole µAIT. */
function priceOf(receipt: Receipt): string | undefined {
  const price = receipt["price"];
  return typeof price === "number" && Number.isSafeInteger(price) ? formatAit(BigInt(price)) : undefined;
}

/** Who signed a receipt. Whether the signatures hold is what `aitbc receipt verify` finds out. */
function signersOf(receipt: Receipt): string {
  const signers = [
    has(receipt["signature"]) ? "miner" : "",
    has(receipt["attestations"]) ? "coordinator" : "",
  ];
  return signers.filter((name) => name !== "").join(" and ") || "nobody";
}

/** One line about a receipt. */
export function summarizeReceipt(receipt: Receipt): string {
  const price = priceOf(receipt);
  const parts = [
    `receipt ${String(receipt["receipt_id"])}`,
    `${String(receipt["units"])} units`,
    ...(price === undefined ? [] : [price]),
    `signed by ${signersOf(receipt)}`,
  ];
  return parts.join(" · ");
}

function formatReceipt(receipt: Receipt): string {
  const names = ["receipt_id", "job_id", "provider", "client", "model", "units", "unit_type"];
  return formatRecord([
    ...names.map((name) => [name, receipt[name]] as const),
    ["price", priceOf(receipt)],
    ["signed by", signersOf(receipt)],
  ]);
}

interface PrintOptions extends GlobalOptions {
  readonly all?: boolean;
}

/** Prints the last receipt of a job, or all of them; as JSON unless another format is asked for, for a file. */
export async function printReceipts(io: Io, options: PrintOptions, jobId: string): Promise<void> {
  const client = await openClient(io, options, "client");
  if (options.all) {
    for await (const receipt of client.listReceipts(jobId)) {
      await printResult(io, options.output ?? "json", receipt, () => `${formatReceipt(receipt)}\n`);
    }
    return;
  }
  const receipt = await client.getReceipt(jobId);
  if (options.output === undefined) io.stdout.write(`${JSON.stringify(receipt, null, 2)}\n`);
  else await printResult(io, options.output, receipt, () => formatReceipt(receipt));
}
