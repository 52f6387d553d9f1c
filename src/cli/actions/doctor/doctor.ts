import { dirname } from "node:path";
import { MIGRATIONS } from "../../../app/migrations.ts";
import { loadSqliteBinding } from "../../../app/native.ts";
import { databaseFile } from "../../../config/data-paths.ts";
import type { LoadedConfig } from "../../../config/load.ts";
import type { Config } from "../../../config/schema.ts";
import { checkCache, chooseCacheDir } from "./cache.ts";
import { type Check, type CheckResult, failWith, ok, runCheck } from "./check.ts";
import { checkDataDirectory, checkLock } from "./data-directory.ts";
import { checkDisk } from "./disk.ts";
import { checkEngines } from "./engines.ts";
import { checkKeyFiles } from "./key-files.ts";
import { checkClock, checkDescriptors, checkGpus, type Instant, readClocks } from "./machine.ts";
import { checkDaemon, checkPort } from "./network.ts";
import { Scratch } from "./scratch.ts";
import { checkDatabase, checkSqlite } from "./sqlite.ts";

/** Longest time of one check, in ms: a healthy machine needs less than a second for the slowest. */
const CHECK_MS = 15_000;

/**
 * Looks at everything that the program needs, one thing after the other, and leaves all as it was. A
 * configuration that is not valid leaves only the checks that need none. Never throws.
 */
export async function* diagnose(
  load: () => Promise<LoadedConfig>,
): AsyncGenerator<CheckResult, void, undefined> {
  using scratch = new Scratch();
  const start = readClocks();
  let loaded: LoadedConfig | undefined;
  const readConfig: Check = {
    name: "config",
    async run() {
      try {
        loaded = await load();
      } catch (error) {
        return failWith(error, "aitbc config validate lists everything that is wrong");
      }
      const { path, found } = loaded.file;
      return ok(found ? `valid: ${path}` : `valid: defaults and environment (there is no ${path})`);
    },
  };
  yield await runCheck(readConfig, CHECK_MS);
  const checks = loaded === undefined ? machineChecks(start) : allChecks(loaded.config, scratch, start);
  for (const check of checks) yield await runCheck(check, CHECK_MS);
}

function machineChecks(start: Instant): readonly Check[] {
  return [checkGpus(), checkClock(start)];
}

function allChecks(config: Config, scratch: Scratch, start: Instant): readonly Check[] {
  const path = databaseFile(config);
  const directory = dirname(path);
  let cacheDir: string | undefined;
  const chooseCache = (): string => {
    cacheDir ??= chooseCacheDir(config.cache_dir, scratch);
    return cacheDir;
  };
  const findBinding = (): object | undefined => loadSqliteBinding(chooseCache());
  const named = [config.client.api_key_file].filter((file) => file !== undefined);
  const migrations = MIGRATIONS.map(({ name }) => name);
  return [
    checkDataDirectory(config.data_dir, scratch),
    checkKeyFiles(config.data_dir, named),
    checkDisk(directory, scratch),
    checkCache(config.cache_dir, scratch),
    checkSqlite(directory, scratch, findBinding),
    checkDatabase({ path, migrations, scratch, findBinding }),
    checkLock(directory, findBinding),
    checkPort(config.http.host, config.http.port),
    checkDaemon(config.client.url),
    checkEngines(config, chooseCache),
    checkDescriptors(config.http.max_connections),
    ...machineChecks(start),
  ];
}
