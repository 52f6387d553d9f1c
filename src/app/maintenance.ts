import { execFile } from "node:child_process";
import { mkdirSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import type { Kysely } from "kysely";
import type { Config } from "../config/schema.ts";
import type { Clock } from "../kernel/clock.ts";
import type { RunOperation } from "../kernel/db/database.ts";
import { AppError } from "../kernel/errors.ts";
import { ok, type Router } from "../kernel/http/router.ts";
import { type Log, listRecentRecords } from "../kernel/log.ts";
import type { Access, Principal } from "../wire/access.ts";
import { getLogs, runBackup, runReindex } from "../wire/admin.ts";
import { programCommand } from "./native.ts";
import { reindex } from "./reindex.ts";
import type { Tables } from "./store.ts";
import { UPGRADE_BACKUP_NAME } from "./upgrade-backup.ts";

/** Backups that the folder may hold: nothing is deleted unasked, and no caller fills the disk. */
const MAX_BACKUPS = 20;
/** Longest time of one backup, in ms; it runs in a process of its own. */
const BACKUP_TIMEOUT_MS = 10 * 60_000;

interface Store {
  readonly db: Kysely<Tables>;
  readonly operation: RunOperation<Kysely<Tables>>;
}

interface MaintenanceDeps {
  readonly store: Store;
  readonly config: Config;
  readonly log: Log;
  readonly clock: Clock;
}

/** Routes about the process and its database, for administrators. */
export function addMaintenanceRoutes(router: Router<Access, Principal>, deps: MaintenanceDeps): void {
  let copying = false;
  router.on(getLogs, ({ query }) => ok({ items: listRecentRecords(deps.log, query), limit: query.limit }));
  router.on(runReindex, async () => ok({ status: "ok", ...(await reindex(deps.store)) }));
  router.on(runBackup, async () => {
    if (copying) throw new AppError("CONFLICT_STATE", "a backup is being made already");
    copying = true;
    try {
      return ok({ status: "ok", ...(await backUp(deps)) });
    } finally {
      copying = false;
    }
  });
}

/**
 * Copies and checks the database in a process of its own, as `aitbc backup` does: reading the whole copy takes
 * seconds in which this process must go on serving.
 */
async function backUp({
  config,
  clock,
  log,
}: MaintenanceDeps): Promise<{ file: string; size_bytes: number }> {
  const directory = join(config.data_dir, "backups");
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  // The copies made before upgrades have a bound of their own.
  const kept = readdirSync(directory).filter((name) => !UPGRADE_BACKUP_NAME.test(name));
  if (kept.length >= MAX_BACKUPS) {
    throw new AppError("LIMIT_EXCEEDED", `${MAX_BACKUPS} backups are kept already; move some elsewhere`);
  }
  const stamp = new Date(clock.now()).toISOString().replaceAll(/[:.]/g, "-");
  const file = join(directory, `aitbc-${stamp}.db`);
  const [program = "", ...args] = programCommand();
  const { AITBC_CONFIG: _config, ...env } = process.env;
  await promisify(execFile)(program, [...args, "backup", file, "--output", "json"], {
    env: {
      ...env,
      AITBC_DATA_DIR: config.data_dir,
      AITBC_CACHE_DIR: config.cache_dir,
      AITBC_DATABASE__URL: config.database.url,
    },
    timeout: BACKUP_TIMEOUT_MS,
  });
  const size_bytes = statSync(file).size;
  log.info({ file, size_bytes }, "backup made for an administrator");
  return { file, size_bytes };
}
