import type { Command } from "commander";
import { MAX_PAGE } from "../../wire/limits.ts";
import type { CliContext } from "../context.ts";
import { printResult } from "../format.ts";
import { type GlobalOptions, wholeNumber } from "../options.ts";
import { openClient } from "../session.ts";

interface HistoryOptions extends GlobalOptions {
  readonly limit?: number;
  readonly cursor?: string;
  readonly status?: string;
  readonly kind?: string;
  readonly model?: string;
  readonly miner?: string;
  readonly from?: string;
  readonly to?: string;
  readonly text?: string;
}

/** Adds the options that choose jobs; lists of clients and of administrators share them. */
export function addJobFilters(command: Command): Command {
  return command
    .option("--limit <n>", "jobs on the page", wholeNumber(1, MAX_PAGE))
    .option("--cursor <cursor>", "goes on after an earlier page")
    .option("--status <state>", "queued, running, completed, failed, canceled or expired")
    .option("--kind <kind>", "kind of job")
    .option("--model <name>", "model that was asked for")
    .option("--miner <miner>", "miner that ran it last")
    .option("--from <date>", "submitted then or later: 2026-11-21, or a time")
    .option("--to <date>", "submitted then or earlier")
    .option("--text <text>", "part of the prompt");
}

/** The query that the options of `addJobFilters` make. */
export function toJobQuery(options: HistoryOptions): Record<string, string | number | undefined> {
  const { limit, cursor, status, kind, model, miner, from, to, text } = options;
  return { limit, cursor, status, kind, model, miner, from, to, text };
}

export function addClientListCommands(client: Command, { io }: CliContext): void {
  addJobFilters(client.command("history").description("your jobs, newest first")).action(
    async (_options: object, command: Command) => {
      const options = command.optsWithGlobals<HistoryOptions>();
      const page = await (await openClient(io, options, "client")).listJobs(toJobQuery(options));
      const { formatJobPage } = await import("../actions/job-rows.ts");
      await printResult(io, options.output ?? "table", page, () => formatJobPage(page));
    },
  );

  client
    .command("receipts <job>")
    .description("all receipts of a job, oldest first, one a line")
    .action(async (jobId: string, _options: object, command: Command) => {
      const { printReceipts } = await import("../actions/receipts.ts");
      await printReceipts(io, { ...command.optsWithGlobals<GlobalOptions>(), all: true }, jobId);
    });
}
