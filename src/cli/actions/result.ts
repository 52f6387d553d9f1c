import { printResult } from "../format.ts";
import { type Io, writeLine, writeText } from "../io.ts";
import type { GlobalOptions } from "../options.ts";
import { openClient } from "../session.ts";
import { outcomeError } from "./outcome.ts";
import { summarizeReceipt } from "./receipts.ts";

interface ResultOptions extends GlobalOptions {
  readonly wait?: boolean;
}

/** Prints the answer of a job: alone on stdout, with what there is to know about it on stderr. */
export async function printJobResult(io: Io, options: ResultOptions, jobId: string): Promise<void> {
  const client = await openClient(io, options, "client");
  if (options.wait) await client.waitForJob(jobId);
  const found = await client.getResult(jobId);
  const { text, partial } = found.result;
  if (options.output === "json" || options.output === "yaml") {
    await printResult(io, options.output, found, () => text);
  } else {
    await writeText(io.stdout, text);
    if (io.stdout.isTTY && !text.endsWith("\n")) io.stdout.write("\n");
  }
  if (found.receipt) writeLine(io.stderr, summarizeReceipt(found.receipt));
  if (!partial) return;
  const view = await client.getJob(jobId);
  const error = outcomeError(jobId, view.state, view.error);
  if (error) throw error;
}
