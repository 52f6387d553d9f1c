import type { Metrics } from "../../kernel/metrics.ts";
import type { EngineResult } from "./engines/engine.ts";

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
    prefixTokens: metrics.counter(
      "aitbc_miner_prefix_tokens_total",
      "Tokens of prompts that a model read, and those that it still knew from an earlier job (reused)",
      ["reused"],
    ),
    firstToken: metrics.seconds("aitbc_miner_first_token_seconds", "From offer to the engine's first text"),
  };
}
export type MinerMetrics = ReturnType<typeof createMinerMetrics>;

/** Counts what an engine read of a prompt, where it tells. */
export function countPrefix(metrics: MinerMetrics, { prompt_tokens, cached_tokens }: EngineResult): void {
  if (cached_tokens === undefined) return;
  metrics.prefixTokens.inc({ reused: "true" }, cached_tokens);
  metrics.prefixTokens.inc({ reused: "false" }, prompt_tokens - cached_tokens);
}
