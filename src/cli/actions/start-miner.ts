import { join } from "node:path";
import { findApiKey } from "../../config/api-key.ts";
import type { LoadedConfig } from "../../config/load.ts";
import type { Config } from "../../config/schema.ts";
import { AppError } from "../../kernel/errors.ts";
import { ENGINE_FLAGS } from "../engine-options.ts";
import type { Io } from "../io.ts";
import type { FlagMap, GlobalOptions } from "../options.ts";
import { loadCommandConfig } from "../session.ts";
import { runDaemon } from "./run-daemon.ts";

export interface StartMinerOptions extends GlobalOptions {
  readonly port?: number;
}

const FLAGS: FlagMap = {
  ...ENGINE_FLAGS,
  coordinatorUrl: ["--coordinator-url", "miner.coordinator_url"],
  name: ["--name", "miner.name"],
  region: ["--region", "miner.region"],
  slots: ["--slots", "miner.slots"],
  price: ["--price", "miner.price"],
  payout: ["--payout", "miner.payout"],
};

/** Folder of a miner of its own inside the data directory of this machine: it runs beside a daemon there. */
export const OWN_FOLDER = "standalone-miner";

/**
 * The directory of this miner: the one that --data-dir names, else a folder of its own, because one process
 * uses a data directory at a time.
 */
function ownDataDir({ config, origins }: LoadedConfig): string {
  return origins.get("data_dir") === "--data-dir" ? config.data_dir : join(config.data_dir, OWN_FOLDER);
}

/** The key for the coordinator: given, or the one that a daemon on this machine wrote. */
async function findMinerKey(
  io: Io,
  options: StartMinerOptions,
  config: Config,
  url: string,
): Promise<string> {
  const given = await findApiKey(config, "miner", url);
  if (given !== undefined) return given;
  // A daemon's keys are in its own data directory, whatever directory this miner is given.
  const { dataDir: _dataDir, apiKey: _apiKey, ...others } = options;
  const machine = await loadCommandConfig(io, others);
  const key = await findApiKey(machine.config, "miner", url);
  if (key !== undefined) return key;
  throw new AppError("UNAUTHORIZED_KEY", `no API key for the coordinator at ${url}`, {
    meta: {
      hint: "let its operator run: aitbc keys create --kind miner --name NAME; then set AITBC_API_KEY to that key",
    },
  });
}

/** The configuration of a daemon with the miner's role alone. */
async function loadMinerConfig(io: Io, options: StartMinerOptions): Promise<Config> {
  const loaded = await loadCommandConfig(io, options, FLAGS);
  const { config } = loaded;
  const url = config.miner.coordinator_url ?? config.client.url;
  const api_key = await findMinerKey(io, options, config, url);
  return {
    ...config,
    roles: ["miner"],
    // Any free port unless one is asked for: the configured one belongs to the daemon beside it.
    http: { ...config.http, port: options.port ?? 0 },
    data_dir: ownDataDir(loaded),
    client: { ...config.client, api_key },
    miner: { ...config.miner, coordinator_url: url },
  };
}

/** Runs a daemon with the miner's role alone. Returns the exit code. */
export function startMiner(io: Io, options: StartMinerOptions): Promise<number> {
  return runDaemon(io, () => loadMinerConfig(io, options), options);
}
