import { stop } from "../queue/program.ts";
import { median } from "../queue/stats.ts";
import { withDirectory } from "../queue/temporary.ts";
import type { Finding, Plan } from "./finding.ts";
import { generate, type LoadReport } from "./load.ts";
import { installPortkey, type Server, startAitbc, startPortkey, startUpstream } from "./servers.ts";

const MODEL = "bench";
/** Streams at which the targets hold. */
const TARGET_STREAMS = 64;
const FIRST_P50_MS = 3;
const FIRST_P99_MS = 15;
const WARM_SECONDS = 2;
/** Each server works so long before its figures count: its code is compiled while it runs. */
const COLD_SECONDS = 10;
/** Callers begin spread over the length of one answer. */
const SPREAD_MS = 1000;

type Figure = "first_p50_ms" | "first_p99_ms" | "token_p50_ms" | "token_p99_ms";

/** What of the upstream's figures each gateway adds to them, over the same rounds. */
interface Round {
  readonly direct: LoadReport;
  readonly aitbc: LoadReport;
  readonly other: LoadReport;
}

/** First-token and per-token latency that is added to calling the engine directly, by turns in one run. */
export function measureLatency(plan: Plan): Promise<Finding[]> {
  return withDirectory(async (directory) => {
    await installPortkey(directory);
    const upstream = await startUpstream();
    const aitbc = await startAitbc(directory, upstream);
    const other = await startPortkey(directory, upstream);
    const cold: Round = {
      direct: await measure(upstream, TARGET_STREAMS, COLD_SECONDS, 0),
      aitbc: await measure(aitbc, TARGET_STREAMS, COLD_SECONDS, 0),
      other: await measure(other, TARGET_STREAMS, COLD_SECONDS, 0),
    };
    const findings: Finding[] = [];
    for (const streams of plan.streams) {
      const rounds: Round[] = [];
      for (let round = 0; round < plan.rounds; round++) {
        rounds.push({
          direct: await measure(upstream, streams, plan.seconds),
          aitbc: await measure(aitbc, streams, plan.seconds),
          other: await measure(other, streams, plan.seconds),
        });
      }
      findings.push(...compare(`${streams} streams`, rounds, streams === TARGET_STREAMS));
    }
    findings.push(...compare(`${TARGET_STREAMS} streams, the first ${COLD_SECONDS} s`, [cold], false));
    for (const { child } of [aitbc, other, upstream]) await stop(child);
    return findings;
  });
}

function measure(
  server: Server,
  streams: number,
  seconds: number,
  warmSeconds = WARM_SECONDS,
): Promise<LoadReport> {
  const { url, headers } = server;
  return generate({
    url,
    headers,
    model: MODEL,
    streams,
    warmSeconds,
    seconds,
    spreadMs: SPREAD_MS,
  });
}

function compare(load: string, rounds: readonly Round[], isTarget: boolean): Finding[] {
  const added = (who: "aitbc" | "other", figure: Figure): number =>
    median(rounds.map((round) => round[who][figure] - round.direct[figure]));
  const direct = (figure: Figure): string =>
    `${median(rounds.map((round) => round.direct[figure])).toFixed(1)} ms directly`;
  const row = (figure: Figure, what: string, atMost?: number): Finding => ({
    what: `${what}, ${load}`,
    unit: "ms",
    value: added("aitbc", figure),
    other: added("other", figure),
    note: direct(figure),
    ...(isTarget && atMost !== undefined && { target: { atMost }, beatsOther: true }),
  });
  return [
    row("first_p50_ms", "added to the first token, p50", FIRST_P50_MS),
    row("first_p99_ms", "added to the first token, p99", FIRST_P99_MS),
    row("token_p50_ms", "added to a token, p50"),
    row("token_p99_ms", "added to a token, p99"),
  ];
}
