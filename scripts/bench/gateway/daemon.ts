import { once } from "node:events";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { start, stop } from "../queue/program.ts";
import { median } from "../queue/stats.ts";
import { withDirectory } from "../queue/temporary.ts";
import type { ChunkMinerPlan } from "./chunk-miner.ts";
import type { Finding, Plan } from "./finding.ts";
import { generate, type Load } from "./load.ts";
import { type Server, startCoordinator } from "./servers.ts";

const MODEL = "chunks";
const PATIENCE_MS = 30_000;
const WARM_SECONDS = 3;

/** Streams at once, pieces of one answer, and the time between two: 24,000 a second are offered. */
const CHUNKS = { streams: 240, pieces: 500, pieceMs: 10 };
const CHUNKS_PER_SECOND = 20_000;

/** Streams that stay open, writing slowly. */
const OPEN = { streams: 500, pieces: 100, pieceMs: 500 };
const OPEN_MB = 300;
/** A session has at most so many slots: more streams take more miners. */
const MAX_SLOTS = 256;
const BYTES_PER_MB = 1_000_000;
/** Open streams are looked at after this time, in ms. */
const SETTLE_MS = 10_000;

export async function startChunkMiner(daemon: Coordinator, shape: typeof CHUNKS, slots: number) {
  const plan: ChunkMinerPlan = {
    url: new URL(daemon.url).origin,
    apiKey: daemon.minerKey,
    model: MODEL,
    slots,
    pieces: shape.pieces,
    pieceMs: shape.pieceMs,
  };
  const program = join(import.meta.dirname, "chunk-miner.ts");
  const child = start([process.execPath, program, JSON.stringify(plan)], {});
  await once(child.stdout ?? child, "data", { signal: AbortSignal.timeout(PATIENCE_MS) });
  return child;
}

type Coordinator = Server & { readonly minerKey: string };

/** One daemon with as many miners as the streams need. */
async function withStreams<T>(
  shape: typeof CHUNKS,
  use: (daemon: Coordinator, load: Load) => Promise<T>,
): Promise<T> {
  return withDirectory(async (directory) => {
    const daemon = await startCoordinator(directory);
    const count = Math.ceil(shape.streams / MAX_SLOTS);
    const slots = Math.ceil(shape.streams / count);
    const miners = [];
    for (let index = 0; index < count; index++) miners.push(await startChunkMiner(daemon, shape, slots));
    const load: Load = {
      url: daemon.url,
      headers: daemon.headers,
      model: MODEL,
      streams: shape.streams,
      warmSeconds: WARM_SECONDS,
      seconds: 1,
      spreadMs: shape.pieces * shape.pieceMs,
    };
    const result = await use(daemon, load);
    for (const child of [...miners, daemon.child]) await stop(child);
    return result;
  });
}

/** Pieces a second through one daemon: each one frame of a miner's session, stored, then one event of a stream. */
export async function measureChunks({ seconds, rounds }: Plan): Promise<Finding[]> {
  const rates: number[] = [];
  const late: number[] = [];
  let joined = 0;
  for (let round = 0; round < rounds; round++) {
    await withStreams(CHUNKS, async (_daemon, load) => {
      const report = await generate({ ...load, seconds, warmSeconds: WARM_SECONDS + 5 });
      rates.push(report.events / seconds);
      late.push(report.token_p99_ms);
      joined = 1 - report.events / report.chunks;
    });
  }
  return [
    {
      what: `streamed events through one daemon, ${CHUNKS.streams} streams`,
      unit: "/s",
      value: median(rates),
      target: { atLeast: CHUNKS_PER_SECOND },
      note: `p99 from frame to reader ${median(late).toFixed(0)} ms; ${(joined * 100).toFixed(1)} % of the pieces came joined to the one before`,
    },
  ];
}

/** Memory of the daemon while many streams are open. */
export async function measureOpenStreams(_plan: Plan): Promise<Finding[]> {
  return withStreams(OPEN, async (daemon, load) => {
    const done = generate({ ...load, warmSeconds: 0, spreadMs: 2_000, seconds: 3 });
    await sleep(SETTLE_MS);
    const status = readFileSync(`/proc/${daemon.child.pid}/status`, "utf8");
    const kb = (name: string): number => Number(new RegExp(`^${name}:\\s+(\\d+)`, "m").exec(status)?.[1]);
    const { streams } = await done;
    return [
      {
        what: `memory (RSS) of the daemon with ${OPEN.streams} open streams`,
        unit: "MB",
        value: (kb("VmRSS") * 1024) / BYTES_PER_MB,
        target: { atMost: OPEN_MB },
        note: `anonymous ${((kb("RssAnon") * 1024) / BYTES_PER_MB).toFixed(0)} MB; all ${streams} streams ended well`,
      },
    ];
  });
}
