import { readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { aitbcCommand, freePort } from "../../torture/processes.ts";
import { start, stop, waitReady } from "./program.ts";
import { ofRuns, type Plan, type Result } from "./result.ts";
import { withDirectory } from "./temporary.ts";

const STARTS = 20;
/** When an idle daemon's memory is read, in ms after it was ready. */
const IDLE_MS = 30_000;
const DEMOS = 5;

/** Anonymous memory of a process, in MB (10^6 bytes): what is not a file's pages. Linux only. */
function anonymousMb(pid: number): number {
  const kib = /^RssAnon:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
  return (Number(kib) * 1024) / 1e6;
}

/** From exec to `/readyz` 200 over an existing data directory, and the memory of the last daemon once it idles. */
export function measureStart(plan: Plan): Promise<Result[]> {
  return withDirectory(async (directory) => {
    const env = { HOME: directory, AITBC_CACHE_DIR: join(directory, "cache") };
    const times: number[] = [];
    let memory = Number.NaN;
    const starts = Math.max(3, Math.min(STARTS, plan.runs * 4));
    // The first start makes the data directory and is not counted.
    for (let index = 0; index <= starts; index++) {
      const port = await freePort();
      const flags = ["--port", String(port), "--data-dir", join(directory, "data"), "--log-level", "warn"];
      const began = performance.now();
      const daemon = start([...aitbcCommand(), "serve", ...flags], env);
      await waitReady(port, daemon);
      if (index > 0) times.push(performance.now() - began);
      if (index === starts && daemon.pid !== undefined) {
        await sleep(IDLE_MS);
        memory = anonymousMb(daemon.pid);
      }
      await stop(daemon);
    }
    return [
      ofRuns(times, {
        what: "`serve` ready: exec to /readyz 200",
        unit: "ms",
        target: { atMost: 400 },
        note: `${starts} starts`,
      }),
      ofRuns([memory], {
        what: "anonymous memory 30 s after ready",
        unit: "MB",
        target: { atMost: 60 },
        note: "coordinator and miner, no engine loaded",
      }),
    ];
  });
}

/** Time from exec to the first byte of the demo's answer on stdout, in ms. */
function measureDemo(cacheDir: string): Promise<number> {
  return withDirectory(async (home) => {
    const began = performance.now();
    const demo = start([...aitbcCommand(), "demo"], { HOME: home, AITBC_CACHE_DIR: cacheDir, TMPDIR: home });
    let first: number | undefined;
    demo.stdout?.on("data", () => {
      first ??= performance.now() - began;
    });
    const code = await new Promise<number | null>((resolve) => demo.once("close", resolve));
    if (code !== 0 || first === undefined) throw new Error(`the demo ended with ${code}`);
    return first;
  });
}

/** The demo's first token, with what it unpacks still packed and already unpacked. */
export function measureDemos(plan: Plan): Promise<Result[]> {
  return withDirectory(async (directory) => {
    const cold: number[] = [];
    const warm: number[] = [];
    for (let run = 0; run < Math.min(DEMOS, plan.runs); run++) {
      const cache = join(directory, `cache-${run}`);
      cold.push(await measureDemo(cache));
      warm.push(await measureDemo(cache));
    }
    const target = { atMost: 2_000 };
    return [
      ofRuns(cold, { what: "`demo`: exec to first token, cold cache", unit: "ms", target }),
      ofRuns(warm, { what: "`demo`: exec to first token, warm cache", unit: "ms", target }),
    ];
  });
}
