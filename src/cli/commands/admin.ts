import type { Command } from "commander";
import type { CliContext } from "../context.ts";
import { formatRecord, formatTable, printResult } from "../format.ts";
import { examples } from "../help.ts";
import type { GlobalOptions } from "../options.ts";
import { openClient } from "../session.ts";
import { addJobFilters, toJobQuery } from "./client-lists.ts";

interface DrainOptions extends GlobalOptions {
  readonly undo?: boolean;
}

export function addAdminCommands(program: Command, { io }: CliContext): void {
  const admin = program
    .command("admin")
    .description("look after a coordinator, with an admin key")
    .addHelpText(
      "after",
      examples(
        ["aitbc admin stats", "totals"],
        ["aitbc admin jobs --status failed", "all clients' jobs that failed"],
        ["aitbc admin drain MINER", "no new jobs for a miner; running ones go on"],
      ),
    );

  admin
    .command("stats")
    .description("totals since the database was made")
    .action(async (_options: object, command: Command) => {
      const options = command.optsWithGlobals<GlobalOptions>();
      const stats = await (await openClient(io, options, "admin")).adminStats();
      await printResult(io, options.output ?? "table", stats, () => formatRecord(Object.entries(stats)));
    });

  addJobFilters(admin.command("jobs").description("jobs of all clients, newest first")).action(
    async (_options: object, command: Command) => {
      const options = command.optsWithGlobals<GlobalOptions>();
      const page = await (await openClient(io, options, "admin")).adminJobs(toJobQuery(options));
      const { formatJobPage } = await import("../actions/job-rows.ts");
      await printResult(io, options.output ?? "table", page, () => formatJobPage(page));
    },
  );

  admin
    .command("miners")
    .description("all miners that ever registered, and why one gets no work")
    .action(async (_options: object, command: Command) => {
      const options = command.optsWithGlobals<GlobalOptions>();
      const page = await (await openClient(io, options, "admin")).adminMiners({});
      await printResult(io, options.output ?? "table", page, () =>
        formatTable(
          ["miner", "name", "status", "jobs", "done", "failed", "reason"],
          page.items.map((miner) => [
            miner.miner_id,
            miner.name,
            miner.status,
            `${miner.inflight}/${miner.concurrency}`,
            miner.jobs_completed,
            miner.jobs_failed,
            miner.reason,
          ]),
        ),
      );
    });

  admin
    .command("drain <miner>")
    .description("keep a miner from new jobs, also after a restart; running ones go on")
    .option("--undo", "give it jobs again")
    .action(async (minerId: string, _options: object, command: Command) => {
      const options = command.optsWithGlobals<DrainOptions>();
      const client = await openClient(io, options, "admin");
      const miner = await client.setMinerActive(minerId, options.undo === true);
      await printResult(io, options.output ?? "table", miner, () => formatRecord(Object.entries(miner)));
    });
}
