import { existsSync } from "node:fs";
import { join } from "node:path";
import type { Client } from "../../client/client.ts";
import { dataPaths } from "../../config/data-paths.ts";
import { formatAit } from "../../domain/pricing/amount.ts";
import { AppError } from "../../kernel/errors.ts";
import { formatRecord, formatTable, printResult } from "../format.ts";
import type { Io } from "../io.ts";
import type { GlobalOptions } from "../options.ts";
import { loadCommandConfig, openClient } from "../session.ts";
import { readIdentities } from "./identities.ts";
import { formatMiner } from "./miner-view.ts";
import { OWN_FOLDER } from "./start-miner.ts";

export interface DrainMinerOptions extends GlobalOptions {
  readonly undo?: boolean;
}
export interface MinerJobsOptions extends GlobalOptions {
  readonly limit?: number;
  readonly offset?: number;
}

/** A miner, and the client that may ask about it. */
interface OwnMiner {
  readonly id: string;
  readonly client: Client;
}

/**
 * The miner that is named, else the one of this machine: of its daemon, or of a `miner start` beside it. The
 * daemon's own is its operator's, who has the administrator's key; any other is its miner key's.
 */
async function openMiner(io: Io, options: GlobalOptions, named: string | undefined): Promise<OwnMiner> {
  const { config } = await loadCommandConfig(io, options);
  const [[ofDaemon], besides] = await Promise.all([
    listMiners(config.data_dir),
    listMiners(join(config.data_dir, OWN_FOLDER)),
  ]);
  const ids = [...(ofDaemon === undefined ? [] : [ofDaemon]), ...besides];
  const id = named ?? onlyOne(ids, config.data_dir);
  const servedHere = id === ofDaemon && existsSync(dataPaths(config.data_dir).keyFile("admin"));
  return { id, client: await openClient(io, options, servedHere ? "admin" : "miner") };
}

async function listMiners(dataDir: string): Promise<readonly string[]> {
  const identities = await readIdentities(dataDir);
  return identities.filter(({ role }) => role === "miner").map(({ address }) => address);
}

function onlyOne(ids: readonly string[], dataDir: string): string {
  const [only, ...others] = ids;
  if (only === undefined) {
    throw new AppError("INVALID_ARGUMENT", `no miner has run in ${dataDir}`, {
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
  const { id, client } = await openMiner(io, options, named);
  const { limit, offset } = options;
  const page = await client.minerJobs(id, { limit, offset });
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
  const { id, client } = await openMiner(io, options, named);
  const earnings = await client.minerEarnings(id);
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

/** Prints how a miner stands. @throws AppError INVALID_ARGUMENT, MINER_NOT_FOUND, UNAUTHORIZED_KEY */
export async function printMinerStatus(io: Io, options: GlobalOptions, named?: string): Promise<void> {
  const { id, client } = await openMiner(io, options, named);
  const view = { coordinator_url: client.url, ...(await client.getMiner(id)) };
  await printResult(io, options.output ?? "table", view, () => formatMiner(view));
}

/** Keeps a miner from new jobs, or ends that. @throws AppError INVALID_ARGUMENT, MINER_NOT_FOUND, UNAUTHORIZED_KEY */
export async function drainMiner(io: Io, options: DrainMinerOptions, named?: string): Promise<void> {
  const { id, client } = await openMiner(io, options, named);
  const draining = options.undo !== true;
  const view = { coordinator_url: client.url, ...(await client.setMinerDraining(id, draining)) };
  await printResult(io, options.output ?? "table", view, () => formatDrain(view, draining));
}

function formatDrain(view: Parameters<typeof formatMiner>[0], draining: boolean): string {
  const { inflight, miner_id, reason, status } = view;
  if (!draining) return `${miner_id} is ${status.toLowerCase()}${reason === null ? "" : `: ${reason}`}`;
  const left = inflight === 0 ? "none runs" : `${inflight} still ${inflight === 1 ? "runs" : "run"}`;
  return `${miner_id} gets no new jobs; ${left}\n  → give it jobs again: aitbc miner drain --undo`;
}
