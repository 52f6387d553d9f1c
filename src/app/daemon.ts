import { join } from "node:path";
import type { Hono } from "hono";
import type { Kysely } from "kysely";
import { dataPaths } from "../config/data-paths.ts";
import type { Config, RoleName } from "../config/schema.ts";
import type { Meters } from "../domain/job/meters.ts";
import { createBus } from "../kernel/bus.ts";
import { type Clock, createSystemClock } from "../kernel/clock.ts";
import { openDataDirectory } from "../kernel/data-dir.ts";
import type { BatchBounds, Database, RunOperation } from "../kernel/db/database.ts";
import { lockDataDirectory } from "../kernel/db/lock.ts";
import { AppError } from "../kernel/errors.ts";
import { createRouter, type HttpVariables } from "../kernel/http/router.ts";
import { createIds, systemRandomBytes } from "../kernel/ids.ts";
import { Lifecycle, type Part } from "../kernel/lifecycle.ts";
import type { Log } from "../kernel/log.ts";
import { createMetrics, type Metrics } from "../kernel/metrics.ts";
import { type CoordinatorRole, coordinator } from "../roles/coordinator/index.ts";
import { gateway } from "../roles/gateway/index.ts";
import { miner } from "../roles/miner/index.ts";
import { wallet } from "../roles/wallet/index.ts";
import type { Access, Principal } from "../wire/access.ts";
import type { BusEvents } from "../wire/events.ts";
import { MAX_BODY_BYTES } from "../wire/limits.ts";
import { addKeyRoutes } from "./access/routes.ts";
import { AccessService } from "./access/service.ts";
import { readBuildInfo } from "./build-info.ts";
import { HttpServer } from "./http.ts";
import { addMaintenanceRoutes } from "./maintenance.ts";
import { createAppMeters } from "./meters.ts";
import { engineInputs, loadSqliteBinding } from "./native.ts";
import { bindCoordinator, bindGateway } from "./ports.ts";
import { createCallLimits } from "./rate-limit.ts";
import { createReload } from "./reload.ts";
import { openStore, type Tables } from "./store.ts";
import { addSystemRoutes } from "./system-routes.ts";
import { createWallet } from "./wallet.ts";

/** A running daemon. */
export interface Daemon {
  readonly url: string;
  /** Where the wallet's own listener is; absent without that role. */
  readonly walletUrl: string | undefined;
  /** Everything that the listener serves, for callers in this process: `app.request(path)`. */
  readonly app: Hono<HttpVariables>;
  readonly roles: readonly RoleName[];
  /** Resolves when the daemon cannot go on (the storage failed): the process must end. */
  readonly failed: Promise<AppError>;
  /** Takes over what a configuration read anew changes while the daemon runs; logs that, and what must wait. */
  reload(read: Config): void;
  /** Lets running work end within `stop_seconds`, and frees everything. */
  stop(): Promise<void>;
}

export interface DaemonOptions {
  readonly config: Config;
  readonly log: Log;
  readonly clock?: Clock;
  /** Bounds of a group commit other than the usual ones; for measurements. */
  readonly batch?: BatchBounds;
  /** The command of the processes that hold keys, the keystore's directory behind it; absent: this program. For tests. */
  readonly signer?: readonly string[];
}

const MS_PER_SECOND = 1000;

/** What the parts of a daemon share. */
interface Shared {
  readonly config: Config;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly clock: Clock;
  readonly random: typeof systemRandomBytes;
  readonly meters: Meters;
}

/** A narrower view of the database: each owner sees its own tables. */
function tablesOf<Own>(database: Database<Tables>): {
  readonly db: Kysely<Own>;
  readonly operation: RunOperation<Kysely<Own>>;
} {
  // `Own` is a part of `Tables`; Kysely's types cannot say that a handle on more tables serves fewer.
  return database as never;
}

/**
 * Starts the roles that the configuration names, in one process with one store, one bus and one listener.
 * @throws AppError what a part throws that cannot start; everything started before is stopped again
 */
export async function startDaemon(options: DaemonOptions): Promise<Daemon> {
  const { config, log } = options;
  const clock = options.clock ?? createSystemClock();
  const shared: Shared = {
    config,
    log,
    metrics: createMetrics(),
    clock,
    random: systemRandomBytes,
    meters: createAppMeters(),
  };
  const ids = createIds(clock);
  const failed = Promise.withResolvers<AppError>();
  const bus = createBus<BusEvents>((event, error) =>
    log.error({ event, err: error }, "event listener failed"),
  );
  const lifecycle = new Lifecycle(log, config.stop_seconds * MS_PER_SECOND);
  const readiness = new Map<string, () => boolean>();
  const parts: Part[] = [];

  const hasCoordinator = config.roles.includes("coordinator");
  const hasStore = hasCoordinator || config.roles.includes("wallet");
  const database = hasStore
    ? await openStore({
        config,
        log,
        metrics: shared.metrics,
        now: clock.now(),
        onFatal: failed.resolve,
        batch: options.batch,
      })
    : undefined;
  if (!database) openDataDirectory(config.data_dir);
  const access =
    database && hasCoordinator
      ? new AccessService({ store: tablesOf(database), bus, clock, random: shared.random })
      : undefined;
  const limits = createCallLimits(config.http, clock);
  const router = createRouter<Access, Principal>(limits.limit(access?.authorize ?? denyKeys), MAX_BODY_BYTES);
  let local: CoordinatorRole | undefined;
  if (database) parts.push(storePart(database));
  if (database && access) {
    parts.push(accessPart(access, config));
    addKeyRoutes(router, access);
    const identityFile = dataPaths(config.data_dir).coordinatorIdentity;
    local = coordinator.create(config.coordinator, {
      ...shared,
      store: tablesOf(database),
      bus,
      ids,
      identityFile,
      artifactsDirectory: dataPaths(config.data_dir).artifacts,
    });
    local.addRoutes(router);
    const stopping = lifecycle.signal;
    const front = gateway.create({
      ...shared,
      coordinator: bindGateway(local),
      store: tablesOf(database),
      bus,
      ids,
      stopping,
    });
    front.addRoutes(router);
    addMaintenanceRoutes(router, { store: database, config, log, clock });
    readiness.set(coordinator.name, local.ready);
    parts.push(rolePart(coordinator.name, local), rolePart(gateway.name, front));
  }
  const { version } = readBuildInfo();
  const { env, roles } = config;
  const waitingFor = () => [...readiness].filter(([, ready]) => !ready()).map(([name]) => name);
  addSystemRoutes(router, { env, version, roles, metrics: shared.metrics, waitingFor });
  const { host, port, max_connections: maxConnections } = config.http;
  const http = new HttpServer({
    place: { host, port, option: "--port" },
    maxConnections,
    routers: [router],
    policy: limits.policy,
    ids,
    log,
    metrics: shared.metrics,
  });
  parts.push(http);
  const walletRole =
    database && config.roles.includes("wallet")
      ? await createWallet({
          ...shared,
          ids,
          bus,
          store: tablesOf(database),
          localUrl: hasCoordinator ? () => http.url : undefined,
          signer: options.signer,
        })
      : undefined;
  if (walletRole) {
    readiness.set(wallet.name, walletRole.role.ready);
    parts.push(...walletRole.parts);
  }
  const minerRole = config.roles.includes("miner") ? createMiner(shared, local) : undefined;
  if (minerRole) {
    readiness.set(miner.name, () => minerRole.ready());
    parts.push(rolePart(miner.name, minerRole));
  }
  await lifecycle.start(parts);
  return {
    url: http.url,
    walletUrl: walletRole?.http.url,
    app: http.app,
    roles,
    failed: failed.promise,
    reload: createReload(config, log, (terms) => minerRole?.adjust(terms)),
    stop: () => lifecycle.stop(),
  };
}

/** Without the store there are no keys: only public routes answer. */
function denyKeys(_request: unknown, access: Access): Principal {
  if (access === "public") return { key_id: "anonymous", kind: "client", owner_id: "anonymous" };
  throw new AppError("UNAUTHORIZED_KEY", "invalid api key");
}

function createMiner(shared: Shared, local: CoordinatorRole | undefined) {
  const { config } = shared;
  const { cache_dir, data_dir } = config;
  return miner.create(config.miner, {
    ...shared,
    link: bindCoordinator(config, local),
    identityFile: dataPaths(data_dir).minerIdentity,
    engines: engineInputs(cache_dir),
    lockDirectory: (directory) =>
      lockDataDirectory(directory, {
        command: "an aitbc miner",
        now: shared.clock.now(),
        nativeBinding: loadSqliteBinding(cache_dir),
      }),
  });
}

function storePart(database: Database<Tables>): Part {
  return {
    name: "store",
    start: async () => {},
    stop: async () => database[Symbol.asyncDispose](),
  };
}

function accessPart(access: AccessService, config: Config): Part {
  return { name: "access", start: () => access.open(join(config.data_dir, "keys")), stop: async () => {} };
}

function rolePart(name: string, role: { start(signal: AbortSignal): Promise<void> } & AsyncDisposable): Part {
  return {
    name,
    start: (signal) => role.start(signal),
    stop: async () => role[Symbol.asyncDispose](),
  };
}
