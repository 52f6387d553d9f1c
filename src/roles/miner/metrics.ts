import type { Metrics } from "../../kernel/metrics.ts";

/** Creates the miner's metrics. One helper an event, so that counter and log line stay together. */
export function createMinerMetrics(metrics: Metrics) {
  return {
    jobs: metrics.counter("aitbc_miner_jobs_total", "Offers by outcome", ["outcome"]),
    running: metrics.gauge("aitbc_miner_running", "Jobs whose engine runs"),
    connected: metrics.gauge("aitbc_miner_connected", "1 while a session with the coordinator is open"),
    outputBytes: metrics.counter("aitbc_miner_output_bytes_total", "Text that engines wrote, in bytes"),
    tokensPerSecond: metrics.gauge(
      "aitbc_miner_tokens_per_second",
      "Tokens a second while a model writes, over its last finished runs",
      ["model"],
    ),
    firstToken: metrics.seconds("aitbc_miner_first_token_seconds", "From offer to the engine's first text"),
  };
}
export type MinerMetrics = ReturnType<typeof createMinerMetrics>;
