import { dirname } from "node:path";
import { databaseFile } from "../config/data-paths.ts";
import type { Config } from "../config/schema.ts";
import { openDataDirectory } from "../kernel/data-dir.ts";
import { type BatchBounds, type Database, openDatabase } from "../kernel/db/database.ts";
import { lockDataDirectory } from "../kernel/db/lock.ts";
import { migrate } from "../kernel/db/migrate.ts";
import type { AppError } from "../kernel/errors.ts";
import type { Log } from "../kernel/log.ts";
import type { Metrics } from "../kernel/metrics.ts";
import type { CoordinatorTables } from "../roles/coordinator/index.ts";
import type { GatewayTables } from "../roles/gateway/index.ts";
import type { WalletTables } from "../roles/wallet/index.ts";
import type { AccessTables } from "./access/tables.ts";
import { MIGRATIONS, RELEASED_MIGRATIONS } from "./migrations.ts";
import { loadSqliteBinding } from "./native.ts";
import { createProcedures } from "./procedures.ts";
import { startStoreThread } from "./start-store-thread.ts";
import { backUpBeforeUpgrade } from "./upgrade-backup.ts";

/** All tables of the one database. */
export type Tables = AccessTables & CoordinatorTables & GatewayTables & WalletTables;

/** Opens the database of this daemon alone, brings its schema up to date, and measures its commits. */
export async function openStore(options: {
  config: Config;
  log: Log;
  metrics: Metrics;
  now: number;
  onFatal: (error: AppError) => void;
  batch?: BatchBounds | undefined;
}): Promise<Database<Tables>> {
  const { config, log, metrics } = options;
  const path = databaseFile(config);
  const nativeBinding = loadSqliteBinding(config.cache_dir);
  openDataDirectory(dirname(path));
  const lock = lockDataDirectory(dirname(path), { command: "aitbc serve", now: options.now, nativeBinding });
  const commits = metrics.seconds(
    "aitbc_store_commit_seconds",
    "Time of one physical commit, fsync included",
  );
  const operations = metrics.counter("aitbc_store_operations_total", "Operations in all commits");
  let opened: Database<Tables> | undefined;
  try {
    const database = openDatabase<Tables>({
      path,
      nativeBinding,
      onFatal: options.onFatal,
      batch: options.batch,
      onBatch(report) {
        commits.observe(report.commitMs / 1000);
        operations.inc(report.operations);
      },
    });
    opened = database;
    const migrated = await migrate(database, MIGRATIONS, {
      released: RELEASED_MIGRATIONS,
      async beforeUpgrade(next) {
        const backup = await backUpBeforeUpgrade({ config, next, now: options.now });
        log.info({ backup }, "database copied before its schema is brought up to date");
      },
    });
    if (migrated.length > 0) log.info({ migrations: migrated }, "database schema brought up to date");
    database.useThread({
      procedures: createProcedures(),
      start: (job) => startStoreThread(config.cache_dir, job),
      busyMs: config.database.writer_busy_ms,
      onMoved: () => log.info("writes have a thread of their own now"),
      onRefused: (error) =>
        log.error(
          { err: error },
          "a thread of the store is missing; its work is done elsewhere, more slowly",
        ),
    });
    return withLock(database, lock);
  } catch (error) {
    await opened?.[Symbol.asyncDispose]();
    lock[Symbol.dispose]();
    throw error;
  }
}

/** Gives the lock back after the database is closed. */
function withLock(database: Database<Tables>, lock: Disposable): Database<Tables> {
  return {
    db: database.db,
    operation: (body, ...args) => database.operation(body, ...args),
    useThread: (thread) => database.useThread(thread),
    stats: () => database.stats(),
    async [Symbol.asyncDispose]() {
      await database[Symbol.asyncDispose]();
      lock[Symbol.dispose]();
    },
  };
}
