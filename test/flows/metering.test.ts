import { describe, expect, it } from "vitest";
import { TOKENIZERS } from "../../src/app/assets/tokenizers.ts";
import { parseReceipt } from "../../src/domain/receipt/parse.ts";
import { verifyReceipt } from "../../src/domain/receipt/verify.ts";
import { TestClock } from "../harness/clock.ts";
import { bootDaemon } from "../harness/daemon.ts";
import { readStream, waitForState } from "../harness/events.ts";
import { expectSound, failures, job, receiptsOf, verify } from "../harness/jobs.ts";
import { ScriptedMiner, TEST_MODEL } from "../harness/scripted-miner.ts";

const [{ sha256, model_sha256 }] = TOKENIZERS;
const TOKENS = `tok:${sha256}`;
const DIGEST = `sha256:${model_sha256}`;
/** Longest back-off after a first attempt, in ms. */
const BACKOFF_MS = 4000;

describe("metering", () => {
  it("counts a job on the built-in model in its tokens, and anyone who has the output can count again", async () => {
    const { client } = await bootDaemon({ settings: { roles: "coordinator,miner" } });
    const prompt = "What is 37 + 45?";
    const request = { type: "inference" as const, prompt };
    const { job_id } = await client.submitJob({ payload: request });
    const { text } = await readStream(client, job_id);
    const [receipt = {}] = await receiptsOf(client, job_id);
    expect(receipt["metadata"]).toMatchObject({ meter: TOKENS });
    expectSound([receipt], text, prompt);
    const { lines } = verify(receipt, text);
    const units = lines.find(({ check }) => check === "units");
    expect(units).toMatchObject({ status: "proven" });
    expect(units?.detail).toContain(`units recounted with meter ${TOKENS}`);
    // Who does not have the tokenizer, or not the output, proves less, and is told so.
    const parsed = parseReceipt(JSON.stringify(receipt));
    const output = new TextEncoder().encode(text);
    const unknown = verifyReceipt(parsed, { output }).lines.find(({ check }) => check === "units");
    expect(unknown).toMatchObject({ status: "not_proven" });
  });

  it("counts a job in bytes whose model has no known tokenizer", async () => {
    const daemon = await bootDaemon();
    await daemon.client.submitJob(job("hello"));
    const miner = await ScriptedMiner.join(daemon);
    expect((await miner.take()).offer.terms.meter).toBe("bytes/4");
  });

  it.each([
    ["tokens", DIGEST, "sha256:00", TOKENS],
    ["bytes", "sha256:00", DIGEST, "bytes/4"],
  ])(
    "keeps counting in %s when another miner continues, whatever that one runs",
    async (_what, first, second, name) => {
      const clock = new TestClock();
      const daemon = await bootDaemon({ clock });
      const { client } = daemon;
      const prompt = "Tell me a story about a fox";
      const { job_id } = await client.submitJob(job(prompt));
      const early = await ScriptedMiner.join(daemon, { models: [TEST_MODEL], digest: first });
      const began = await early.take();
      await began.deliver("Once upon a ti");
      began.progress();
      early.send({ type: "drain" });
      began.fail("ENGINE_FAILED", true);
      await waitForState(client, job_id, ({ state }) => state === "QUEUED");
      const late = await ScriptedMiner.join(daemon, { models: [TEST_MODEL], digest: second });
      clock.advance(BACKOFF_MS);
      const work = await late.take();
      expect([began.offer.terms.meter, work.offer.terms.meter]).toEqual([name, name]);
      work.chunk("me there was a fox. 🦊");
      work.progress();
      work.complete();
      const { text } = await readStream(client, job_id);
      const receipts = await receiptsOf(client, job_id);
      expect(receipts).toHaveLength(2);
      expectSound(receipts, text, prompt);
      for (const receipt of receipts) expect(failures(verify(receipt, text))).toEqual([]);
    },
  );

  it("takes a lease up after a restart with the meter that it began with", async () => {
    const daemon = await bootDaemon();
    await daemon.client.submitJob(job("hello"));
    const setup = { models: [TEST_MODEL], digest: DIGEST };
    const miner = await ScriptedMiner.join(daemon, setup);
    const work = await miner.take();
    await work.deliver("the quick bro");
    const again = await daemon.restart();
    const back = await ScriptedMiner.join(again, {
      ...setup,
      key: miner.key,
      register: { running: [work.lease] },
    });
    work.moveTo(back);
    work.chunk("wn fox");
    work.progress();
    work.complete();
    const { receipt } = await back.next("completed");
    expect(receipt["metadata"]).toMatchObject({ meter: TOKENS });
    expect(failures(verify(receipt, "the quick brown fox"))).toEqual([]);
  });

  it("ends the lease of a miner that states another count", async () => {
    const daemon = await bootDaemon();
    await daemon.client.submitJob(job("hello"));
    const miner = await ScriptedMiner.join(daemon, { models: [TEST_MODEL], digest: DIGEST });
    const work = await miner.take();
    await work.deliver("the quick brown fox");
    // What bytes/4 would count.
    work.progress({ units: 5 });
    expect(await work.fenced()).toMatchObject({ code: "PROTOCOL_VIOLATION" });
  });
});
