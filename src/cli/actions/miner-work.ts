import { join } from "node:path";
import { AppError } from "../../kernel/errors.ts";
import { formatRecord, formatTable, printResult } from "../format.ts";
import type { Io } from "../io.ts";
import type { GlobalOptions } from "../options.ts";
import { loadCommandConfig, openClient } from "../session.ts";
import { readIdentities } from "./identities.ts";
import { formatAit } from "./job-view.ts";
import { OWN_FOLDER } from "./start-miner.ts";

export interface MinerJobsOptions extends GlobalOptions {
  readonly limit?: number;
  readonly offset?: number;
}

/** The miner that is named, else the one of this machine: of its daemon, or of a `miner start` beside it. */
async function findMinerId(io: Io, options: GlobalOptions, named: string | undefined): Promise<string> {
  if (named !== undefined) return named;
  const { config } = await loadCommandConfig(io, options);
  const folders = [config.data_dir, join(config.data_dir, OWN_FOLDER)];
  const identities = (await Promise.all(folders.map(readIdentities))).flat();
  const ids = identities.filter(({ role }) => role === "miner").map(({ address }) => address);
  const [only, ...others] = ids;
  if (only === undefined) {
    throw new AppError("INVALID_ARGUMENT", `no miner has run in ${config.data_dir}`, {
      meta: { hint: "name the miner, or its directory with --data-dir" },
    });
  }
  if (others.length > 0) {
    throw new AppError("INVALID_ARGUMENT", `this machine has ${ids.length} miners: ${ids.join(", ")}`, {
      meta: { hint: "name one of them" },
    });
  }
  return only;
}

/** Prints what a miner ran. @throws AppError INVALID_ARGUMENT, MINER_NOT_FOUND, UNAUTHORIZED_KEY */
export async function printMinerJobs(io: Io, options: MinerJobsOptions, named?: string): Promise<void> {
  const id = await findMinerId(io, options, named);
  const { limit, offset } = options;
  const page = await (await openClient(io, options, "miner")).minerJobs(id, { limit, offset });
  await printResult(io, options.output ?? "table", page, () =>
    formatTable(
      ["job", "state", "model", "units", "price", "started"],
      page.jobs.map((job) => [
        job.job_id,
        job.state,
        job.model,
        job.units,
        formatAit(BigInt(job.price_uait)),
        job.started_at,
      ]),
    ),
  );
}

/** Prints what a miner earned. @throws AppError INVALID_ARGUMENT, MINER_NOT_FOUND, UNAUTHORIZED_KEY */
export async function printMinerEarnings(io: Io, options: GlobalOptions, named?: string): Promise<void> {
  const id = await findMinerId(io, options, named);
  const earnings = await (await openClient(io, options, "miner")).minerEarnings(id);
  await printResult(io, options.output ?? "table", earnings, () =>
    [
      formatRecord([
        ["miner", earnings.miner_id],
        ["earned", formatAit(BigInt(earnings.total_earnings_uait))],
        ["not paid out yet", formatAit(BigInt(earnings.pending_earnings_uait))],
        ["jobs completed", earnings.completed_jobs],
        ["since", earnings.from_time],
      ]),
      ...(earnings.earnings_history.length === 0
        ? []
        : [
            "",
            formatTable(
              ["day", "jobs", "earned"],
              earnings.earnings_history.map((day) => [
                day.date,
                day.jobs,
                formatAit(BigInt(day.amount_uait)),
              ]),
            ),
          ]),
    ].join("\n"),
  );
}
