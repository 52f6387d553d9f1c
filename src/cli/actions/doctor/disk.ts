import { open, statfs } from "node:fs/promises";
import { join } from "node:path";
import { type Check, ok, warn } from "./check.ts";
import { nearestExisting, type Scratch } from "./scratch.ts";
import { formatMs } from "./units.ts";

/** Longest measurement, in ms. */
const MEASURE_MS = 800;
/** Enough for a p99. */
const MAX_SAMPLES = 400;
/** What a small commit adds to the write-ahead log, in bytes. */
const WRITE_BYTES = 4096;
/** A flush that takes longer lets jobs wait noticeably: each one commits several times. */
const SLOW_P50_MS = 20;
const SLOW_P99_MS = 200;

/** File systems by their magic number (statfs(2)) on which a database is not safe, and why. */
const UNSAFE: ReadonlyMap<number, string> = new Map([
  [0x01021994, "lies in memory (tmpfs): everything is lost when the machine restarts"],
  [0x858458f6, "lies in memory (ramfs): everything is lost when the machine restarts"],
  [0x6969, "lies on a network (NFS), where locks and flushes cannot be relied on"],
  [0xff534d42, "lies on a network (CIFS), where locks and flushes cannot be relied on"],
  [0xfe534d42, "lies on a network (SMB2), where locks and flushes cannot be relied on"],
]);

interface FlushTimes {
  readonly samples: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

/** Measures how long the disk under a folder takes to make a small write safe, within MEASURE_MS. */
async function measureFlushes(folder: string, signal: AbortSignal): Promise<FlushTimes> {
  const file = await open(join(folder, "flush"), "wx", 0o600);
  const block = new Uint8Array(WRITE_BYTES);
  const times: number[] = [];
  try {
    const startedAt = performance.now();
    while (times.length < MAX_SAMPLES && performance.now() - startedAt < MEASURE_MS && !signal.aborted) {
      await file.write(block, 0, WRITE_BYTES, times.length * WRITE_BYTES);
      const before = performance.now();
      await file.sync();
      times.push(performance.now() - before);
    }
  } finally {
    await file.close();
  }
  times.sort((a, b) => a - b);
  const at = (share: number): number =>
    times[Math.min(times.length - 1, Math.floor(times.length * share))] ?? 0;
  return { samples: times.length, p50Ms: at(0.5), p99Ms: at(0.99) };
}

/** Whether the disk of the data directory is fast enough, and keeps what it is given. */
export function checkDisk(directory: string, scratch: Scratch): Check {
  return {
    name: "disk",
    async run(signal) {
      const place = nearestExisting(directory);
      const { p50Ms, p99Ms, samples } = await measureFlushes(scratch.inside(place), signal);
      const found = `fsync p50 ${formatMs(p50Ms)}, p99 ${formatMs(p99Ms)} (${samples} writes)`;
      const unsafe = UNSAFE.get((await statfs(place)).type);
      if (unsafe !== undefined)
        return warn(`${place} ${unsafe}; ${found}`, "choose a local disk with --data-dir");
      if (p50Ms > SLOW_P50_MS || p99Ms > SLOW_P99_MS) {
        return warn(`slow: ${found}`, "use an SSD, or find out what else keeps this disk busy");
      }
      return ok(found);
    },
  };
}
