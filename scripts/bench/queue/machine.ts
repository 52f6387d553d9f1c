import { closeSync, fsyncSync, openSync, writeSync } from "node:fs";
import { cpus, loadavg, totalmem } from "node:os";
import { join } from "node:path";
import { quantile } from "./stats.ts";
import { withDirectory } from "./temporary.ts";

/** Flushes that are timed. */
const FLUSHES = 500;
/** Bytes before each flush: what one small commit adds to the write-ahead log. */
const FLUSH_BYTES = 8 * 1024;

/** Times of one write and fsync at the end of a growing file, in ms. */
function timeFlushes(directory: string): number[] {
  const file = openSync(join(directory, "flush"), "w");
  const block = Buffer.alloc(FLUSH_BYTES, 1);
  const times: number[] = [];
  for (let index = 0; index < FLUSHES; index++) {
    const began = performance.now();
    writeSync(file, block);
    fsyncSync(file);
    times.push(performance.now() - began);
  }
  closeSync(file);
  return times;
}

/** One line about the machine: nothing of it but what the numbers depend on. */
export function describeMachine(): Promise<string> {
  return withDirectory(async (directory) => {
    const times = timeFlushes(directory);
    const all = cpus();
    const parts = [
      `${all.length} cores (${all[0]?.model.trim() ?? "unknown"})`,
      `${Math.round(totalmem() / 2 ** 30)} GiB`,
      `Node ${process.versions.node}`,
      `write + fsync p50 ${quantile(times, 0.5).toFixed(2)} ms, p99 ${quantile(times, 0.99).toFixed(2)} ms`,
      `load before ${loadavg()[0]?.toFixed(1)}`,
    ];
    return parts.join(", ");
  });
}
