import type { Command } from "commander";
import type { BatchOptions } from "../actions/batch/submit-batch.ts";
import type { CliContext } from "../context.ts";
import { examples } from "../help.ts";
import { wholeNumber } from "../options.ts";
import { addBatchApiCommands } from "./client-batch-api.ts";

/** Most jobs submitted at once: more only wait for each other. */
const MAX_CONCURRENCY = 256;

export function addBatchCommand(client: Command, context: CliContext): void {
  addBatchApiCommands(client, context);
  client
    .command("batch-submit <file>")
    .description("submit all jobs of a file: a JSON array, JSON lines, or CSV with a header")
    .option("--concurrency <n>", "jobs submitted at once; default 16", wholeNumber(1, MAX_CONCURRENCY))
    .option("--state-file <file>", "where to keep what is submitted; default: beside the file")
    .addHelpText(
      "after",
      examples(
        ["aitbc client batch-submit jobs.csv", "columns prompt, model, max_tokens, priority, …"],
        ["aitbc client batch-submit jobs.jsonl", "again: goes on where it stopped, submits nothing twice"],
      ),
    )
    .action(async (file: string, _options: object, command: Command) => {
      const { submitBatch } = await import("../actions/batch/submit-batch.ts");
      context.exitCode = await submitBatch(context.io, command.optsWithGlobals<BatchOptions>(), file);
    });
}
