import { createClient } from "../client/client.ts";
import { openSessionChannel } from "../client/session-channel.ts";
import { createReceiptReader } from "../client/wallet-receipts.ts";
import { findApiKey } from "../config/api-key.ts";
import { dataPaths } from "../config/data-paths.ts";
import type { Config } from "../config/schema.ts";
import { findIdentityKey } from "../crypto/identity-file.ts";
import { keyIdOf } from "../domain/receipt/sign.ts";
import { createChannelPair } from "../kernel/channel.ts";
import { AppError } from "../kernel/errors.ts";
import { readSecretFile } from "../kernel/secret-file.ts";
import type { CoordinatorRole } from "../roles/coordinator/index.ts";
import type { BatchPort } from "../roles/gateway/index.ts";
import type { CoordinatorLink } from "../roles/miner/index.ts";
import type { ReceiptSource } from "../roles/wallet/index.ts";

const MS_PER_SECOND = 1000;

/**
 * The miner's way to a coordinator in this process: the same frames through the same parser, in memory; but those of
 * each piece of an answer are handed over as they are.
 */
function localLink(coordinator: CoordinatorRole): CoordinatorLink {
  return {
    label: "this process",
    async open() {
      const [minerEnd, coordinatorEnd] = createChannelPair({ direct: true });
      coordinator.acceptLocalMiner(coordinatorEnd);
      return minerEnd;
    },
    openArtifact: (sha256) => coordinator.openArtifactForLocalMiner(sha256),
  };
}

/** The miner's way to a coordinator elsewhere. The key is read at each connection, since it may be replaced. */
function remoteLink(url: string, config: Config): CoordinatorLink {
  const requireKey = async (): Promise<string> => {
    const apiKey = await findApiKey(config, "miner", url);
    if (apiKey !== undefined) return apiKey;
    throw new AppError("UNAUTHORIZED_KEY", `no miner's API key for ${url}; set AITBC_API_KEY`);
  };
  return {
    label: url,
    open: async (signal) => openSessionChannel({ url, apiKey: await requireKey(), signal }),
    async openArtifact(sha256, signal) {
      const client = createClient({
        url: url.replace(/^ws/i, "http"),
        apiKey: await requireKey(),
        timeoutMs: config.client.timeout_seconds * MS_PER_SECOND,
      });
      return client.openArtifact(sha256, signal);
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

/** The gateway's way to the coordinator in this process. */
export function bindGateway(coordinator: CoordinatorRole): BatchPort {
  return coordinator.door;
}

/** Where the wallet reads receipts, over HTTP: the coordinator of this process, and those that are configured. */
export function bindReceiptSources(config: Config, localUrl: (() => string) | undefined): ReceiptSource[] {
  const configured = config.wallet.coordinators.map(({ url, api_key_file: file, keys }) =>
    receiptSource(config, {
      name: url,
      isLocal: false,
      url: () => url,
      findKey: () => (file === undefined ? findApiKey(config, "client", url) : readSecretFile(file)),
      listKeys: async () => keys,
    }),
  );
  if (!localUrl) return configured;
  const { keyFile, coordinatorIdentity } = dataPaths(config.data_dir);
  const local = receiptSource(config, {
    name: "this process",
    isLocal: true,
    url: localUrl,
    findKey: () => readSecretFile(keyFile("client")),
    async listKeys() {
      const identity = await findIdentityKey(coordinatorIdentity);
      return identity ? [keyIdOf(identity.publicKey)] : [];
    },
  });
  return [local, ...configured];
}

/** The API key is read at each call, since it may be replaced. */
function receiptSource(
  config: Config,
  source: {
    readonly name: string;
    readonly isLocal: boolean;
    url(): string;
    findKey(): Promise<string | undefined>;
    listKeys(): Promise<readonly string[]>;
  },
): ReceiptSource {
  const timeoutMs = config.client.timeout_seconds * MS_PER_SECOND;
  const reader = async () => {
    const apiKey = await source.findKey();
    if (apiKey === undefined)
      throw new AppError("UNAUTHORIZED_KEY", `no client's API key for ${source.name}`);
    return createReceiptReader({ url: source.url(), apiKey, timeoutMs });
  };
  return {
    name: source.name,
    isLocal: source.isLocal,
    listKeys: () => source.listKeys(),
    listJobs: async (before, signal) => (await reader()).listJobs(before, signal),
    findJob: async (jobId, signal) => (await reader()).findJob(jobId, signal),
    listReceipts: async (jobId, cursor, signal) => (await reader()).listReceipts(jobId, cursor, signal),
  };
}
