import { globSync, lstatSync } from "node:fs";
import { join } from "node:path";
import { type Check, fail, info, ok, warn } from "./check.ts";

/** What holds keys below a data directory: API keys, and the identities of roles. */
const KEY_FILES = ["keys/*.key", "*/identity.key", "standalone-miner/*/identity.key"];
const OTHERS = 0o077;

/** Whether only their owner can read the keys. `named` are further files that hold one. */
export function checkKeyFiles(directory: string, named: readonly string[]): Check {
  return {
    name: "key_files",
    run() {
      const below = globSync(KEY_FILES, { cwd: directory }).map((path) => join(directory, path));
      const files = [...new Set([...below, ...named])].flatMap((path) => {
        const status = lstatSync(path, { throwIfNoEntry: false });
        return status === undefined ? [] : [{ path, status }];
      });
      const open = files.filter(({ status }) => (status.mode & OTHERS) !== 0).map(({ path }) => path);
      if (open.length > 0) {
        const mend = `close them, and replace keys that others may have read: chmod 600 ${open.join(" ")}`;
        return fail("DATA_UNWRITABLE", `can be read by others: ${open.join(", ")}`, mend);
      }
      const me = process.geteuid?.();
      const foreign = files.filter(({ status }) => status.uid !== me).map(({ path }) => path);
      if (foreign.length > 0) {
        const mend = "run commands as the user that the daemon runs as";
        return warn(`belong to another user: ${foreign.join(", ")}`, mend);
      }
      return files.length === 0
        ? info(`none yet; the first aitbc serve writes them into ${join(directory, "keys")}`)
        : ok(`${files.length} files that only you can read`);
    },
  };
}
