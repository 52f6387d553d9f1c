import { once } from "node:events";
import { createInterface } from "node:readline";
import { stop } from "../queue/program.ts";
import { median, quantile } from "../queue/stats.ts";
import { withDirectory } from "../queue/temporary.ts";
import { startChunkMiner } from "./daemon.ts";
import type { Finding, Plan } from "./finding.ts";
import { startCoordinator } from "./servers.ts";

/** Calls that are aborted, one after the other. */
const CANCELS = 100;
/** From the caller's abort to the miner, in ms. */
const CANCEL_MS = 250;
const MODEL = "chunks";
/** Answers that go on for longer than anybody reads them. */
const LONG = { streams: 1, pieces: 100_000, pieceMs: 10 };
const PATIENCE_MS = 10_000;

/** How long a caller's abort takes to a miner in another process, over its WebSocket. */
export async function measureCancels(_plan: Plan): Promise<Finding[]> {
  return withDirectory(async (directory) => {
    const daemon = await startCoordinator(directory);
    const miner = await startChunkMiner(daemon, LONG, 1);
    if (!miner.stdout) throw new Error("the miner's output is not read");
    const lines = createInterface({ input: miner.stdout });
    const times: number[] = [];
    for (let n = 0; n < CANCELS; n++) {
      const abort = new AbortController();
      const body = { model: MODEL, stream: true, messages: [{ role: "user", content: `${n}` }] };
      const response = await fetch(daemon.url, {
        method: "POST",
        headers: { ...daemon.headers, "content-type": "application/json" },
        body: JSON.stringify(body),
        signal: abort.signal,
      });
      await readPiece(response);
      const heard = once(lines, "line", { signal: AbortSignal.timeout(PATIENCE_MS) });
      const from = process.hrtime.bigint();
      abort.abort();
      const [line] = await heard;
      times.push(Number(String(line).split(" ")[1]) / 1000 - Number(from / 1000n) / 1000);
    }
    for (const child of [miner, daemon.child]) await stop(child);
    const what = "abort of a stream to its miner's engine";
    return [
      { what: `${what}, median of ${CANCELS}`, unit: "ms", value: median(times) },
      {
        what: `${what}, p99 of ${CANCELS}`,
        unit: "ms",
        value: quantile(times, 0.99),
        target: { atMost: CANCEL_MS },
      },
    ];
  });
}

/** Reads until the answer's first text. */
async function readPiece(response: Response): Promise<void> {
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
  if (!reader) throw new Error(`a stream was answered with ${response.status}`);
  for (let text = ""; !/"content":"[^"]/.test(text); ) {
    const { done, value } = await reader.read();
    if (done) throw new Error(`the stream ended: ${text}`);
    text += value;
  }
}
