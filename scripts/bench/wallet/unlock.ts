import { monitorEventLoopDelay, performance } from "node:perf_hooks";
import type { Plan, Result } from "../queue/result.ts";
import { quantile } from "../queue/stats.ts";
import { BENCH_WALLET, type Place, withPassword } from "./place.ts";

/** Unlocks at the same time: what the limit lets through. */
const AT_ONCE = 2;
/** Between two looks of the monitor, in ms. */
const RESOLUTION_MS = 1;
const NS_PER_MS = 1e6;
/** The promise: callers of anything else wait no longer while wallets are unlocked. */
const MAX_DELAY_MS = 50;

interface Unlocks {
  readonly times: readonly number[];
  /** 99th percentile of the event loop's delay, in ms. */
  readonly delayMs: number;
}

/** Unlocks for so many seconds; times of each in ms, and how long the event loop of this process was held up. */
async function unlockFor(seconds: number, atOnce: number, unlock: () => Promise<void>): Promise<Unlocks> {
  const delay = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  const times: number[] = [];
  const until = performance.now() + seconds * 1000;
  delay.enable();
  const call = async (): Promise<void> => {
    while (performance.now() < until) {
      const began = performance.now();
      await unlock();
      times.push(performance.now() - began);
    }
  };
  await Promise.all(Array.from({ length: atOnce }, call));
  delay.disable();
  return { times, delayMs: delay.percentile(99) / NS_PER_MS };
}

function toResults(what: string, { times, delayMs }: Unlocks): Result[] {
  const note = `p99 ${quantile(times, 0.99).toFixed(0)} ms, ${times.length} unlocks`;
  return [
    { what, unit: "ms", value: quantile(times, 0.5), runs: [], note },
    {
      what: `event-loop delay meanwhile, p99: ${what}`,
      unit: "ms",
      value: delayMs,
      runs: [],
      target: { atMost: MAX_DELAY_MS },
    },
  ];
}

/** Unlock times and what they do to the event loop: in the process that decrypts, and in the daemon that waits. */
export async function measureUnlocks(
  { seconds }: Plan,
  { signer, keystore, program }: Place,
): Promise<Result[]> {
  const decrypt = async (): Promise<void> => {
    using _opened = await withPassword((password) => keystore.open(BENCH_WALLET, password));
  };
  const start = async (): Promise<void> => {
    const wallet = await withPassword((password) => signer.unlock(BENCH_WALLET, password));
    await wallet.lock();
  };
  const results: Result[] = [];
  for (const atOnce of [1, AT_ONCE]) {
    const here = await unlockFor(seconds, atOnce, decrypt);
    results.push(...toResults(`decrypt a wallet, ${atOnce} at once`, here));
    const there = await unlockFor(seconds, atOnce, start);
    results.push(...toResults(`unlock in a process of ${program}, and lock, ${atOnce} at once`, there));
  }
  return results;
}
