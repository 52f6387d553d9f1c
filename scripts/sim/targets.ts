/**
 * Schedules that aim at one fence each, where chance would have to meet an order of events that it hardly ever
 * does: without that fence, and with all others in place, each of these finds something.
 */
import type { SimMiner, Work } from "./miner.ts";
import { STRAY_TEXT, type Stage } from "./schedule.ts";
import { LEASE_SECONDS } from "./world.ts";

/** Bytes delivered before the steps that matter: less than any answer has. */
const SOME_BYTES = 5;
/** Turns in which a forged statement is checked, and in which the receipts of the two ends after it are signed. */
const SLOW_FIRST_END = [20, 60, 1];
/** Longest back-off after a first attempt, in ms. */
const BACKOFF_MS = 4_000;

/** A job whose miner has delivered some of it, stored. */
async function begun(stage: Stage): Promise<{ miner: SimMiner; work: Work }> {
  const taken = await stage.submit();
  taken.miner.start(taken.work);
  taken.miner.chunk(taken.work, SOME_BYTES);
  await stage.world.settle();
  return taken;
}

/** A true completion, and while its signatures are checked one more true chunk: the receipt does not cover it. */
async function chunkAfterCompletion(stage: Stage): Promise<void> {
  const { miner, work } = await begun(stage);
  const receipt = miner.receipt(work);
  if (!receipt) throw new Error("no receipt");
  miner.complete(work, receipt);
  miner.chunk(work, work.answer.length);
  await stage.world.settle();
}

/**
 * A forged statement is still being checked when the client cancels; it is found false before the cancellation is
 * signed. The second end knows of no text that the first one has taken to store.
 */
async function failAfterEnd(stage: Stage): Promise<void> {
  const { world } = stage;
  const { miner, work } = await begun(stage);
  world.sign(SLOW_FIRST_END);
  miner.chunk(work, SOME_BYTES);
  miner.progress(work, {}, true);
  // The frames arrive, and nothing of them is stored yet.
  await Promise.resolve();
  const isCanceled = await world.cancel(work.lease.job_id);
  world.findings.expect(isCanceled, "the job was not canceled");
  stage.canceled(work.lease.job_id);
  await world.settle();
}

/** Another miner says on connecting that it works on the lease, and writes under it. */
async function strangersToken(stage: Stage): Promise<void> {
  const { miner, work } = await begun(stage);
  const stranger = stage.miners.find((one) => one !== miner);
  if (!stranger) throw new Error("no other miner");
  stranger.connect([work.lease]);
  await stage.world.settle();
  stranger.inject(work, work.sent, STRAY_TEXT);
  await stage.world.settle();
}

/**
 * A coordinator is paused while it signs the end of a lease. Another one takes the rows over, ends the lease and
 * grants the next; then the first goes on where it was.
 */
async function lateEnd(stage: Stage): Promise<void> {
  const { world, miners } = stage;
  const { miner, work } = await begun(stage);
  const goOn = await world.hold(async () => {
    miner.fail(work, true);
    await world.settle();
  });
  for (const one of miners) one.disconnect();
  await world.stop();
  await world.start();
  for (const one of miners) if (one !== miner) one.connect([]);
  await world.settle();
  await world.advance((LEASE_SECONDS + 1) * 1000);
  for (let ms = 0; ms < BACKOFF_MS; ms += 500) await world.advance(500);
  const next = miners.find((one) => one.works.some(({ lease }) => lease.token === 2));
  world.findings.expect(next !== undefined, "nobody was offered the job again");
  goOn();
  await world.settle();
}

/** By name. */
export const TARGETS: Readonly<Record<string, (stage: Stage) => Promise<void>>> = {
  "chunk-after-completion": chunkAfterCompletion,
  "fail-after-end": failAfterEnd,
  "strangers-token": strangersToken,
  "late-end": lateEnd,
};
