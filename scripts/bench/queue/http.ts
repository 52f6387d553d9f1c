import { readFileSync } from "node:fs";
import { join } from "node:path";
import { aitbcCommand, freePort } from "../../torture/processes.ts";
import { run, start, stop, waitReady } from "./program.ts";
import { ofRuns, type Plan, type Result } from "./result.ts";
import { median } from "./stats.ts";
import { BODY } from "./submission.ts";
import { withDirectory } from "./temporary.ts";

/** What `submit.lua` prints at its end. */
interface Report {
  readonly requests: number;
  readonly seconds: number;
  readonly errors: number;
  readonly p50_ms: number;
  readonly p99_ms: number;
}

const WRK = ["wrk", "-t1", "-c64"];
const ONE_BY_ONE = [process.execPath, join(import.meta.dirname, "daemon-one-by-one.ts")];

/** The limit of calls a second stays on, and is never reached: all calls come with one key here. */
const LIMITS = {
  AITBC_HTTP__RATE_LIMIT_PER_SECOND: "100000",
  AITBC_HTTP__RATE_LIMIT_BURST: "1000000",
};

/** The real daemon, or the baseline's. */
function daemonCommand(grouped: boolean, dataDir: string, port: number): string[] {
  if (!grouped) return [...ONE_BY_ONE, dataDir, String(port)];
  const flags = [
    "--roles",
    "coordinator",
    "--port",
    String(port),
    "--data-dir",
    dataDir,
    "--log-level",
    "warn",
  ];
  return [...aitbcCommand(), "serve", ...flags];
}

/** Submissions over HTTP against a new daemon; the generator is a process of its own. */
function measureOnce(seconds: number, grouped: boolean): Promise<Report> {
  return withDirectory(async (directory) => {
    const port = await freePort();
    const dataDir = join(directory, "data");
    const env = { ...LIMITS, HOME: directory, AITBC_CACHE_DIR: join(directory, "cache") };
    const daemon = start(daemonCommand(grouped, dataDir, port), env);
    await waitReady(port, daemon);
    const key = readFileSync(join(dataDir, "keys/client.key"), "utf8").trim();
    const wrk = (duration: number): string[] => [
      ...WRK,
      `-d${duration}s`,
      "-s",
      join(import.meta.dirname, "submit.lua"),
      `http://127.0.0.1:${port}`,
      "--",
      key,
      BODY,
    ];
    await run(wrk(1), {});
    const output = await run(wrk(Math.max(1, Math.round(seconds))), {});
    await stop(daemon);
    // The line is written by our own script.
    const report = JSON.parse(output.trimEnd().split("\n").at(-1) ?? "") as Report;
    if (report.errors > 0) throw new Error(`${report.errors} of ${report.requests} requests failed`);
    return report;
  });
}

const rateOf = ({ requests, seconds }: Report): number => requests / seconds;

/** Durable submissions over HTTP, with authorisation and validation. */
export async function measureHttp({ seconds, runs }: Plan): Promise<Result[]> {
  const grouped: Report[] = [];
  const single: Report[] = [];
  for (let index = 0; index < runs; index++) {
    grouped.push(await measureOnce(seconds, true));
    single.push(await measureOnce(seconds, false));
  }
  const latency = `p50 ${median(grouped.map((one) => one.p50_ms)).toFixed(1)} ms, p99 ${median(grouped.map((one) => one.p99_ms)).toFixed(1)} ms`;
  return [
    ofRuns(grouped.map(rateOf), {
      what: "durable submit over HTTP, `wrk -t1 -c64`",
      unit: "/s",
      target: { atLeast: 8_000 },
      baseline: median(single.map(rateOf)),
      note: latency,
    }),
  ];
}
