import { performance } from "node:perf_hooks";
import { utf8 } from "../../../src/crypto/bytes.ts";
import { AccountSigner } from "../../../src/roles/wallet/offline.ts";
import { ofRuns, type Plan, type Result } from "../queue/result.ts";
import { BENCH_WALLET, type Place, withPassword } from "./place.ts";

/** Signatures that are waited for at the same time. */
const AT_ONCE = [1, 64] as const;
/** A message as people sign them. */
const MESSAGE = utf8("x".repeat(100));

type Sign = (message: Uint8Array) => Promise<Uint8Array>;

/** Signatures a second, `atOnce` callers, for so many seconds. */
async function rate(sign: Sign, atOnce: number, seconds: number): Promise<number> {
  const began = performance.now();
  const until = began + seconds * 1000;
  let made = 0;
  const call = async (): Promise<void> => {
    while (performance.now() < until) {
      await sign(MESSAGE);
      made++;
    }
  };
  await Promise.all(Array.from({ length: atOnce }, call));
  return (made * 1000) / (performance.now() - began);
}

async function rates(what: string, sign: Sign, { seconds, runs }: Plan): Promise<Result[]> {
  const results: Result[] = [];
  for (const atOnce of AT_ONCE) {
    await rate(sign, atOnce, Math.min(1, seconds));
    const measured: number[] = [];
    for (let run = 0; run < runs; run++) measured.push(await rate(sign, atOnce, seconds));
    results.push(ofRuns(measured, { what: `${what}, ${atOnce} at once`, unit: "/s" }));
  }
  return results;
}

/** Signatures in one process, and through the pipe to the process that holds the keys. */
export async function measureSignatures(plan: Plan, { signer, keystore }: Place): Promise<Result[]> {
  const own = await withPassword((password) => AccountSigner.open(keystore, BENCH_WALLET, password));
  const here = await rates("signatures, in process", (message) => own.signMessage(message), plan);
  const wallet = await withPassword((password) => signer.unlock(BENCH_WALLET, password));
  const there = await rates(
    "signatures, from the signer's process",
    (message) => wallet.signMessage(message),
    plan,
  );
  await wallet.lock();
  return [...here, ...there];
}
