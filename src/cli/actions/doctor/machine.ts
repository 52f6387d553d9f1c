import { probeGpus } from "../../../roles/miner/index.ts";
import { type Check, fail, info, ok, warn } from "./check.ts";

/** The program was written in this year; a clock before it is wrong. */
const FIRST_YEAR = 2026;
/** Certificates and leases of a clock past this make no sense. */
const LAST_YEAR = 2100;
/** How far the wall clock may move against the monotonic one during a few seconds of checks, in ms. */
const MAX_STEP_MS = 500;
/** Descriptors beside connections: database, logs, engines, outgoing calls. */
const OTHER_DESCRIPTORS = 256;

/** A point on both clocks. */
export interface Instant {
  /** Unix ms. */
  readonly wall: number;
  /** Monotonic, ms. */
  readonly monotonic: number;
}

export const readClocks = (): Instant => ({ wall: Date.now(), monotonic: performance.now() });

/** Whether the wall clock names a sane year and runs as fast as the monotonic one since `start`. */
export function checkClock(start: Instant, read: () => Instant = readClocks): Check {
  return {
    name: "clock",
    run() {
      const now = read();
      const mend = "set the clock and keep it right with NTP: timedatectl set-ntp true";
      const year = new Date(now.wall).getUTCFullYear();
      const text = new Date(now.wall).toISOString();
      if (year < FIRST_YEAR || year > LAST_YEAR) {
        return fail("INVALID_CONFIG", `the clock says ${text}`, mend);
      }
      const stepMs = now.wall - start.wall - (now.monotonic - start.monotonic);
      if (Math.abs(stepMs) > MAX_STEP_MS) {
        return warn(`the clock was moved by ${(stepMs / 1000).toFixed(1)} s during these checks`, mend);
      }
      return ok(text);
    },
  };
}

/** Which GPUs the makers' tools find. */
export function checkGpus(): Check {
  return {
    name: "gpus",
    async run() {
      const { gpus, attempts } = await probeGpus();
      if (gpus.length > 0)
        return info(gpus.map(({ name, memory_mb }) => `${name} (${memory_mb} MiB)`).join(", "));
      return info(`none: ${attempts.map(({ tool, outcome }) => `${tool} ${outcome}`).join("; ")}`);
    },
  };
}

/** How many files and sockets this process may have open; undefined where the system does not tell. */
function readDescriptorLimit(): number | undefined {
  // The types leave the report's content open; an absent member reads as undefined.
  const report = process.report?.getReport() as
    | { userLimits?: { open_files?: { soft?: number | "unlimited" } } }
    | undefined;
  const soft = report?.userLimits?.open_files?.soft;
  return soft === "unlimited" ? Number.POSITIVE_INFINITY : soft;
}

/** Whether as many connections can be open at once as the configuration lets in. */
export function checkDescriptors(maxConnections: number, limit = readDescriptorLimit()): Check {
  return {
    name: "file_descriptors",
    run() {
      if (limit === undefined) return info("this system does not tell its limit");
      const needed = maxConnections + OTHER_DESCRIPTORS;
      if (limit >= needed) return ok(`${limit} allowed, ${needed} needed at most`);
      return warn(
        `${limit} allowed, but http.max_connections of ${maxConnections} may need ${needed}`,
        `raise it (ulimit -n ${needed}; LimitNOFILE= in the service), or lower http.max_connections`,
      );
    },
  };
}
