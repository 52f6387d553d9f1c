import { accessSync, constants, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describeFileError } from "../../../kernel/data-dir.ts";
import { type Check, fail, info, ok, warn } from "./check.ts";
import { nearestExisting, type Scratch } from "./scratch.ts";

const MEND = "set AITBC_CACHE_DIR to a directory of your own that is writable and not mounted noexec";

/** Whether the cache directory takes files and lets code run from them. */
export function checkCache(directory: string, scratch: Scratch): Check {
  return {
    name: "cache",
    run() {
      const place = nearestExisting(directory);
      let file: string;
      try {
        file = join(scratch.inside(place), "probe");
        writeFileSync(file, "", { mode: 0o700 });
      } catch (error) {
        return fail("CACHE_UNUSABLE", `${place} ${describeFileError(error)}`, MEND);
      }
      try {
        accessSync(file, constants.X_OK);
      } catch {
        return fail("CACHE_UNUSABLE", `${place} does not allow code to be executed (noexec)`, MEND);
      }
      if (place !== directory) return info(`${directory} is not there yet; it is made when needed`);
      if (statSync(directory).uid !== process.geteuid?.()) {
        return warn(`${directory} belongs to another user`, MEND);
      }
      return ok(`${directory}, writable, code may run from it`);
    },
  };
}

/**
 * The cache directory that checks unpack native code into: the configured one where it is there and this user's,
 * else a temporary one, so that looking leaves nothing behind.
 */
export function chooseCacheDir(directory: string, scratch: Scratch): string {
  const status = statSync(directory, { throwIfNoEntry: false });
  const mine = status?.isDirectory() === true && status.uid === process.geteuid?.();
  return mine ? directory : scratch.inside(tmpdir());
}
