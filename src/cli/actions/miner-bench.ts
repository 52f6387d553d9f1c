import { engineInputs } from "../../app/native.ts";
import { createSystemClock } from "../../kernel/clock.ts";
import { AppError, EXIT } from "../../kernel/errors.ts";
import { type BenchResult, benchEngines, createEngines, probeGpus } from "../../roles/miner/index.ts";
import { formatTable, printResult } from "../format.ts";
import type { Io } from "../io.ts";
import type { FlagMap, GlobalOptions } from "../options.ts";
import { createProgress } from "../progress.ts";
import { loadCommandConfig } from "../session.ts";
import { createDaemonLog, listenForStop } from "./run-daemon.ts";

export interface MinerBenchOptions extends GlobalOptions {
  readonly model?: readonly string[];
  readonly tokens: number;
}

const COLUMNS = [
  "engine",
  "model",
  "load_ms",
  "first_token_ms",
  "tokens",
  "tokens_per_second",
  "error",
] as const;

/**
 * Runs the models of this machine's engines on a fixed prompt, and prints how fast they are. Returns the exit code:
 * one of its own when no model answered.
 */
export async function benchMiner(io: Io, options: MinerBenchOptions, flags: FlagMap): Promise<number> {
  const { config } = await loadCommandConfig(io, options, flags);
  const quiet =
    options.debug || options.verbose ? config : { ...config, log: { ...config.log, level: "warn" as const } };
  const engines = await createEngines({
    config: config.miner,
    inputs: engineInputs(config.cache_dir),
    probeGpus,
    log: createDaemonLog(io, quiet, options),
  });
  const stop = listenForStop(io);
  const abort = new AbortController();
  void stop.asked.then(() => abort.abort(new AppError("INTERRUPTED", "interrupted")));
  const progress = createProgress(io);
  try {
    progress.show("measuring the models of this machine");
    const results: BenchResult[] = [];
    const only = options.model ?? [];
    const bench = { only, tokens: options.tokens, clock: createSystemClock(), signal: abort.signal };
    for await (const result of benchEngines(engines, bench)) {
      results.push(result);
      progress.show(`${result.model}: ${result.tokens_per_second ?? "-"} tokens/s`);
    }
    progress.clear();
    if (results.length === 0) throw noModel(only);
    await printResult(io, options.output ?? "table", results, () =>
      formatTable(
        COLUMNS,
        results.map((result) => COLUMNS.map((column) => result[column])),
      ),
    );
    return results.every(({ error }) => error !== null) ? EXIT.unsupported : 0;
  } finally {
    progress.clear();
    stop.dispose();
    for (const engine of engines) await engine[Symbol.asyncDispose]();
  }
}

function noModel(only: readonly string[]): AppError {
  const which = only.length === 0 ? "no engine here has a model" : `no engine here has ${only.join(" or ")}`;
  return new AppError("MODEL_NOT_FOUND", which, {
    meta: { hint: "aitbc config explain shows miner.engine and what belongs to it" },
  });
}
