import { AppError } from "../../kernel/errors.ts";
import { pullModel } from "../../roles/miner/index.ts";
import { printResult } from "../format.ts";
import { type Io, writeLine } from "../io.ts";
import type { FlagMap, GlobalOptions } from "../options.ts";
import { createProgress } from "../progress.ts";
import { loadCommandConfig } from "../session.ts";
import { listenForStop } from "./run-daemon.ts";

const BYTES_PER_MB = 1024 * 1024;
const FLAGS: FlagMap = { ollamaUrl: ["--ollama-url", "miner.engines.ollama.url"] };

/** Lets this machine's Ollama fetch a model. An interrupted pull goes on where it was. */
export async function pullMinerModel(io: Io, model: string, options: GlobalOptions): Promise<void> {
  const { config } = await loadCommandConfig(io, options, FLAGS);
  const { url } = config.miner.engines.ollama;
  const stop = listenForStop(io);
  const abort = new AbortController();
  void stop.asked.then(() =>
    abort.abort(new AppError("INTERRUPTED", "interrupted; the same command goes on from here")),
  );
  const progress = createProgress(io);
  try {
    await pullModel({ url }, model, {
      signal: abort.signal,
      onProgress: ({ status, total_bytes, completed_bytes }) => {
        const size = `${Math.floor(completed_bytes / BYTES_PER_MB)} of ${Math.ceil(total_bytes / BYTES_PER_MB)} MiB`;
        progress.show(total_bytes > 0 ? `${model}: ${size} · ${status}` : `${model}: ${status}`);
      },
    });
    progress.clear();
    await printResult(io, options.output ?? "table", { model, url, pulled: true }, () => model);
    if (io.stderr.isTTY) writeLine(io.stderr, "a running miner offers it within a minute");
  } finally {
    progress.clear();
    stop.dispose();
  }
}
