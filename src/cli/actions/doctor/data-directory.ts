import { lstatSync, readdirSync, type Stats, statSync, writeFileSync } from "node:fs";
import { statfs } from "node:fs/promises";
import { join } from "node:path";
import { describeFileError } from "../../../kernel/data-dir.ts";
import { findLockHolder, LOCK_FILE } from "../../../kernel/db/lock.ts";
import { type Check, type Finding, fail, info, ok, warn } from "./check.ts";
import { nearestExisting, type Scratch } from "./scratch.ts";
import { formatBytes } from "./units.ts";

/** Below this no job's result is safe to arrive: the write-ahead log alone may take it. */
const LEAST_FREE_BYTES = 128 * 1024 * 1024;
/** Below this somebody should look: a busy coordinator writes as much in a day. */
const LOW_FREE_BYTES = 2 * 1024 * 1024 * 1024;
/** More than a full file system still squeezes into a file's own metadata. */
const PROBE_BYTES = 64 * 1024;
const OTHERS = 0o077;

/** Whether the data directory exists, takes data, is private, and has room. */
export function checkDataDirectory(directory: string, scratch: Scratch): Check {
  return {
    name: "data_directory",
    async run() {
      const place = nearestExisting(directory);
      const status = statSync(place);
      if (!status.isDirectory()) {
        return unwritable(`${place} is not a directory`, "choose another place with --data-dir");
      }
      const problem = checkWrite(place, status, scratch) ?? (await checkRoom(place));
      if (problem) return problem;
      const { bavail, bsize } = await statfs(place);
      const free = `${formatBytes(bavail * bsize)} free`;
      if (place !== directory) return info(`${directory} is not there yet; aitbc serve makes it (${free})`);
      return checkPrivacy(directory, status) ?? ok(`${directory}, writable, only yours, ${free}`);
    },
  };
}

function unwritable(found: string, mend: string): Finding {
  return fail("DATA_UNWRITABLE", found, mend);
}

/** The user's number as people write it in a command. */
const owner = (status: Stats): string => `#${status.uid}`;

function checkWrite(place: string, status: Stats, scratch: Scratch): Finding | undefined {
  try {
    writeFileSync(join(scratch.inside(place), "probe"), new Uint8Array(PROBE_BYTES), { flush: true });
    return undefined;
  } catch (error) {
    const mine = status.uid === process.geteuid?.();
    const mend = mine
      ? `make room or access: ls -ld ${place}; df -h ${place}`
      : `run this as its owner: sudo -u '${owner(status)}' aitbc doctor`;
    return unwritable(`${place} ${describeFileError(error)}`, mend);
  }
}

async function checkRoom(place: string): Promise<Finding | undefined> {
  const { bavail, bsize } = await statfs(place);
  const free = bavail * bsize;
  const found = `${place} has ${formatBytes(free)} left`;
  const mend = "free some space on that disk, or move the data directory to a larger one";
  if (free < LEAST_FREE_BYTES) return unwritable(found, mend);
  return free < LOW_FREE_BYTES ? warn(found, mend) : undefined;
}

function checkPrivacy(directory: string, status: Stats): Finding | undefined {
  if (status.uid !== process.geteuid?.()) {
    return warn(
      `${directory} belongs to user ${owner(status)}, not to you`,
      `run commands for it as that user: sudo -u '${owner(status)}' aitbc …`,
    );
  }
  if ((status.mode & OTHERS) === 0) return undefined;
  const mode = (status.mode & 0o777).toString(8);
  const mend = `close it: chmod 700 ${directory}`;
  const entries = readdirSync(directory);
  // The daemon closes its own directory, and refuses one that may be meant for others.
  return entries.length === 0 || entries.includes(LOCK_FILE)
    ? warn(`${directory} is open to other users (mode ${mode})`, mend)
    : unwritable(`${directory} is open to other users (mode ${mode}) and holds other files`, mend);
}

/** Who uses the data directory. `findBinding` gives SQLite's add-on. */
export function checkLock(directory: string, findBinding: () => object | undefined): Check {
  return {
    name: "lock",
    run() {
      if (!lstatSync(join(directory, LOCK_FILE), { throwIfNoEntry: false })) {
        return info(`no daemon has used ${directory} yet`);
      }
      const holder = findLockHolder(directory, findBinding());
      return holder === undefined ? info(`no process uses ${directory}`) : ok(`held by ${holder}`);
    },
  };
}
