import { readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import Sqlite from "better-sqlite3";
import { describe, expect, it, onTestFinished } from "vitest";
import { codeOf, freshDirectory } from "../../test/harness/database.ts";
import { loadConfig } from "../config/load.ts";
import type { Config } from "../config/schema.ts";
import { openDatabase } from "../kernel/db/database.ts";
import { migrate } from "../kernel/db/migrate.ts";
import { createLog } from "../kernel/log.ts";
import { createMetrics } from "../kernel/metrics.ts";
import { MIGRATIONS } from "./migrations.ts";
import { openStore } from "./store.ts";
import { backUpBeforeUpgrade } from "./upgrade-backup.ts";

const NOW = Date.UTC(2026, 0, 2, 3, 4, 5);
const SECOND_MS = 1_000;
const log = createLog({ level: "silent", format: "json", terminal: false });

function configOf(dataDir: string): Config {
  const flags = [{ key: "data_dir", text: dataDir, flag: "test" }];
  return loadConfig({ env: { HOME: dataDir }, cwd: "/", flags, file: null }).config;
}

/** The data directory of an older version: it has run only the first migration. */
async function olderVersion(): Promise<Config> {
  const config = configOf(freshDirectory());
  await using database = openDatabase<object>({ path: join(config.data_dir, "aitbc.db"), onFatal: () => {} });
  await migrate(database, MIGRATIONS.slice(0, 1));
  return config;
}

const start = (config: Config, now = NOW) =>
  openStore({ config, log, metrics: createMetrics(), now, onFatal: () => {} });

function migrationsOf(file: string): unknown[] {
  const database = new Sqlite(file, { readonly: true });
  onTestFinished(() => void database.close());
  return database.prepare("select name from kernel_migration order by position").pluck().all();
}

const backupsOf = (config: Config): string[] => readdirSync(join(config.data_dir, "backups")).sort();

describe("an upgrade of the schema", () => {
  it("leaves a whole copy of the database as it was, for its owner only", async () => {
    const config = await olderVersion();
    await using _store = await start(config);
    const name = `before-${MIGRATIONS[1]?.name}-20260102T030405Z.db`;
    expect(backupsOf(config)).toEqual([name]);
    const file = join(config.data_dir, "backups", name);
    expect(migrationsOf(file)).toEqual([MIGRATIONS[0]?.name]);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(migrationsOf(join(config.data_dir, "aitbc.db"))).toEqual(MIGRATIONS.map((one) => one.name));
  });

  it("makes no copy on a fresh database, nor when there is nothing to do", async () => {
    const config = configOf(freshDirectory());
    for (let round = 0; round < 2; round++) {
      await using _store = await start(config);
    }
    expect(readdirSync(config.data_dir)).not.toContain("backups");
  });

  it("does not happen when the copy cannot be made, and happens once it can", async () => {
    const config = await olderVersion();
    const blocked = join(config.data_dir, "backups");
    writeFileSync(blocked, "in the way");
    const failed = start(config);
    await expect(failed).rejects.toThrow(/left at its old schema, because the backup .* failed: .*backups/);
    expect(await codeOf(start(config))).toBe("DATA_UNWRITABLE");
    expect(migrationsOf(join(config.data_dir, "aitbc.db"))).toEqual([MIGRATIONS[0]?.name]);
    rmSync(blocked);
    await using _store = await start(config);
    expect(backupsOf(config)).toHaveLength(1);
  });

  it("keeps the newest copies, and no other file of the folder is touched", async () => {
    const config = await olderVersion();
    const copy = (round: number) =>
      backUpBeforeUpgrade({ config, next: "test-0002-next", now: NOW + round * SECOND_MS });
    await copy(0);
    writeFileSync(join(config.data_dir, "backups", "aitbc-own.db"), "of an administrator");
    for (let round = 1; round < 5; round++) await copy(round);
    expect(backupsOf(config)).toEqual([
      "aitbc-own.db",
      ...["07", "08", "09"].map((second) => `before-test-0002-next-20260102T0304${second}Z.db`),
    ]);
  });
});
