import { openSessionChannel } from "../client/session-channel.ts";
import { findApiKey } from "../config/api-key.ts";
import type { Config } from "../config/schema.ts";
import { createChannelPair } from "../kernel/channel.ts";
import { AppError } from "../kernel/errors.ts";
import type { CoordinatorRole } from "../roles/coordinator/index.ts";
import type { CoordinatorLink } from "../roles/miner/index.ts";

/** The miner's way to a coordinator in this process: the same frames through the same parser, in memory. */
function localLink(coordinator: CoordinatorRole): CoordinatorLink {
  return {
    label: "this process",
    async open() {
      const [minerEnd, coordinatorEnd] = createChannelPair();
      coordinator.acceptLocalMiner(coordinatorEnd);
      return minerEnd;
    },
  };
}

/** The miner's way to a coordinator elsewhere. The key is read at each connection, since it may be replaced. */
function remoteLink(url: string, config: Config): CoordinatorLink {
  return {
    label: url,
    async open(signal) {
      const apiKey = await findApiKey(config, "miner", url);
      if (apiKey === undefined) {
        throw new AppError("UNAUTHORIZED_KEY", `no miner's API key for ${url}; set AITBC_API_KEY`);
      }
      return openSessionChannel({ url, apiKey, signal });
    },
  };
}

/** Binds the miner to the coordinator that the configuration names, or to the one in this process. */
export function bindCoordinator(config: Config, local: CoordinatorRole | undefined): CoordinatorLink {
  const url = config.miner.coordinator_url;
  if (url !== null) return remoteLink(url, config);
  if (local) return localLink(local);
  return remoteLink(config.client.url, config);
}
