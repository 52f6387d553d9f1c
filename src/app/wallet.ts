import { dataPaths } from "../config/data-paths.ts";
import type { Config } from "../config/schema.ts";
import type { Bus } from "../kernel/bus.ts";
import type { Clock } from "../kernel/clock.ts";
import type { Ids, RandomBytes } from "../kernel/ids.ts";
import type { Part } from "../kernel/lifecycle.ts";
import type { Log } from "../kernel/log.ts";
import type { Metrics } from "../kernel/metrics.ts";
import { type WalletDeps, type WalletRole, wallet } from "../roles/wallet/index.ts";
import type { BusEvents } from "../wire/events.ts";
import { readBuildInfo } from "./build-info.ts";
import { HttpServer } from "./http.ts";
import type { Place } from "./listen.ts";
import { signerCommand } from "./native.ts";
import { bindReceiptSources } from "./ports.ts";

/** The wallet and its listener, in the order of their start. */
export interface WalletParts {
  readonly role: WalletRole;
  readonly http: HttpServer;
  readonly parts: readonly Part[];
}

/** The wallet's listener has no rate of its own: what is dear has limits, and nobody comes in without the token. */
const NO_RATE = "";
/** It is never another machine's. */
const LOOPBACK = "127.0.0.1";

/**
 * Creates the wallet with its own listener.
 * @param signer the command of the processes that hold keys, instead of this program
 * @param localUrl where the coordinator of this process listens, once it does; absent where there is none
 */
export async function createWallet(deps: {
  readonly config: Config;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly ids: Ids;
  readonly bus: Bus<BusEvents>;
  readonly store: WalletDeps["store"];
  readonly localUrl: (() => string) | undefined;
  readonly signer: readonly string[] | undefined;
}): Promise<WalletParts> {
  const { config, log, metrics, ids } = deps;
  const { walletToken, wallets } = dataPaths(config.data_dir);
  const { createSigner, createWalletRole } = await wallet.load();
  const command = deps.signer ? [...deps.signer, wallets] : signerCommand(config.cache_dir, wallets);
  const role = createWalletRole(config.wallet, {
    ...deps,
    tokenFile: walletToken,
    ...createSigner({ directory: wallets, command }),
    sources: bindReceiptSources(config, deps.localUrl),
    version: readBuildInfo().version,
  });
  const { port, socket, max_connections: maxConnections } = config.wallet;
  const place: Place =
    socket === null ? { host: LOOPBACK, port, option: "AITBC_WALLET__PORT or wallet.port" } : { socket };
  const http = new HttpServer({
    name: "wallet_http",
    place,
    maxConnections,
    routers: [role.router],
    admit: role.admit,
    policy: NO_RATE,
    ids,
    log,
    metrics,
  });
  const listener: Part = {
    name: http.name,
    async start() {
      await http.start();
      log.info({ wallet: http.url, token_file: walletToken }, "wallet listening");
    },
    stop: () => http.stop(),
  };
  const keys: Part = {
    name: wallet.name,
    start: () => role.start(),
    stop: async () => role[Symbol.asyncDispose](),
  };
  return { role, http, parts: [keys, listener] };
}
