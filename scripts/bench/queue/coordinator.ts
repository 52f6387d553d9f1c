/** A coordinator as the daemon composes it, on a database of its own. */
import { mkdtempSync } from "node:fs";
import { join } from "node:path";
import { createProcedures } from "../../../src/app/procedures.ts";
import { startStoreThread } from "../../../src/app/start-store-thread.ts";
import { BYTES_ONLY } from "../../../src/domain/job/meters.ts";
import { createBus } from "../../../src/kernel/bus.ts";
import { createSystemClock } from "../../../src/kernel/clock.ts";
import { type BatchBounds, type Database, openDatabase } from "../../../src/kernel/db/database.ts";
import { migrate } from "../../../src/kernel/db/migrate.ts";
import { createIds, systemRandomBytes } from "../../../src/kernel/ids.ts";
import { createLog } from "../../../src/kernel/log.ts";
import { createMetrics } from "../../../src/kernel/metrics.ts";
import { CoordinatorConfig } from "../../../src/roles/coordinator/config.ts";
import { type CoordinatorTables, coordinator } from "../../../src/roles/coordinator/index.ts";
import type { CoordinatorDeps } from "../../../src/roles/coordinator/ports.ts";
import type { BusEvents } from "../../../src/wire/events.ts";

/** The baseline: each operation is a physical transaction of its own. */
export const ONE_BY_ONE: BatchBounds = { maxOperations: 1, maxMs: 10 };

/** A coordinator must not refuse for the length of its queue what is measured here. */
export const CONFIG: CoordinatorConfig = CoordinatorConfig.parse({ max_queued_jobs: 100_000_000 });

export type CoordinatorDatabase = Database<CoordinatorTables>;

/**
 * Opens a new database in `directory`; `batch` undefined: as the daemon commits; `isIdle`: as a daemon that has
 * little to write.
 */
export async function openCoordinatorDatabase(
  directory: string,
  batch?: BatchBounds,
  isIdle = false,
): Promise<CoordinatorDatabase> {
  const database = openDatabase<CoordinatorTables>({
    path: join(mkdtempSync(join(directory, "db-")), "aitbc.db"),
    batch,
    onFatal(error) {
      throw error;
    },
  });
  await migrate(database, coordinator.migrations);
  if (isIdle) return database;
  // As a busy daemon writes: nothing is measured before it does.
  database.useThread({
    procedures: createProcedures(),
    start: (job) => startStoreThread(directory, job),
    busyMs: 0,
    onRefused(error) {
      throw error;
    },
  });
  return database;
}

export function createDeps(store: CoordinatorDatabase, directory: string): CoordinatorDeps {
  const log = createLog({ level: "error", format: "json", terminal: false });
  const clock = createSystemClock();
  return {
    store,
    log,
    clock,
    bus: createBus<BusEvents>((_event, error) => log.error({ err: error }, "event listener failed")),
    metrics: createMetrics(),
    ids: createIds(clock),
    random: systemRandomBytes,
    meters: BYTES_ONLY,
    identityFile: join(directory, "coordinator.key"),
    artifactsDirectory: join(directory, "artifacts"),
  };
}
