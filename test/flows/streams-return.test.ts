/** Readers that go away after any byte and come back: across miners, restarts and ends, for each format of answers. */
import OpenAI from "openai";
import { describe, expect, it } from "vitest";
import { formatDelta } from "../../src/domain/job/deltas.ts";
import type { TestDaemon } from "../harness/daemon.ts";
import { bootDaemon } from "../harness/daemon.ts";
import { readStream } from "../harness/events.ts";
import { job } from "../harness/jobs.ts";
import { LeavingReader } from "../harness/leaving-reader.ts";
import { openAiClient } from "../harness/openai.ts";
import { joinPlanned, PLANNED_MODEL } from "../harness/planned-miner.ts";
import { ScriptedMiner, type Work } from "../harness/scripted-miner.ts";

const SEEDS = [1, 2, 3, 4];
const PIECES = 12;

/** Text of one to four bytes a character. */
const textPiece = (n: number): string => `<${n} é漢😀>`;
/** Lines of two choices, cut where no line ends. */
const DELTAS = Array.from({ length: 3 * PIECES }, (_, n) =>
  formatDelta({ choice: n % 2, text: textPiece(n) }),
).join("");
const deltaPiece = (n: number): string => {
  const size = Math.ceil([...DELTAS].length / (3 * PIECES));
  return [...DELTAS].slice(n * size, (n + 1) * size).join("");
};

const FORMATS = [
  { format: "text", input: job("go"), piece: textPiece },
  {
    format: "deltas",
    input: { payload: { type: "inference" as const, prompt: "go", n: 2 } },
    piece: deltaPiece,
  },
];

/** Pieces of one third of an answer, each stored before the next. */
async function deliverThird(work: Work, third: number, piece: (n: number) => string): Promise<void> {
  for (let n = third * PIECES; n < (third + 1) * PIECES; n++) await work.deliver(piece(n));
}

const whole = (piece: (n: number) => string, thirds = 3): string =>
  Array.from({ length: thirds * PIECES }, (_, n) => piece(n)).join("");

describe.each(FORMATS)("a reader of $format that goes away after any byte", ({ format, input, piece }) => {
  it("misses none and sees none twice, across a restart", async () => {
    let daemon: TestDaemon = await bootDaemon();
    const { job_id: jobId } = await daemon.client.submitJob(input);
    const miner = await ScriptedMiner.join(daemon);
    const work = await miner.take();
    const readers = SEEDS.map((seed) => new LeavingReader(seed));
    const reading = Promise.all(readers.map((reader) => reader.readAll(() => daemon, jobId)));
    await deliverThird(work, 0, piece);
    daemon = await daemon.restart();
    const back = await ScriptedMiner.join(daemon, { key: miner.key, register: { running: [work.lease] } });
    work.moveTo(back);
    await deliverThird(work, 1, piece);
    await deliverThird(work, 2, piece);
    work.complete();
    await back.next("completed");
    await reading;
    for (const { text, seqs, end, connections } of readers) {
      expect(text).toBe(whole(piece));
      expect(seqs).toEqual(Array.from({ length: 3 * PIECES }, (_, n) => n + 1));
      expect(end?.state).toBe("COMPLETED");
      expect(connections).toBeGreaterThan(3);
    }
    const { result } = await daemon.client.getResult(jobId);
    const [first] = format === "text" ? [result.text] : (result.choices?.map((choice) => choice.text) ?? []);
    expect(first).toBe(
      format === "text"
        ? whole(piece)
        : Array.from({ length: (3 * PIECES) / 2 }, (_, n) => textPiece(2 * n)).join(""),
    );
  });

  it("finds what was delivered, and why no more comes, when the job was canceled meanwhile", async () => {
    const daemon = await bootDaemon();
    const { job_id: jobId } = await daemon.client.submitJob(input);
    const miner = await ScriptedMiner.join(daemon);
    const work = await miner.take();
    const readers = SEEDS.map((seed) => new LeavingReader(seed));
    await deliverThird(work, 0, piece);
    for (const reader of readers) await reader.connect(daemon, jobId);
    await deliverThird(work, 1, piece);
    await daemon.client.cancelJob(jobId);
    await miner.next("cancel");
    for (const reader of readers) await reader.readAll(() => daemon, jobId);
    for (const { text, end } of readers) {
      expect(text).toBe(whole(piece, 2));
      expect(end?.state).toBe("CANCELED");
    }
  });
});

describe("a reader of text that goes away after any byte", () => {
  it("misses none and sees none twice where another miner goes on", async () => {
    const daemon = await bootDaemon({ settings: { "coordinator.reconnect_grace_seconds": "0" } });
    const { job_id: jobId } = await daemon.client.submitJob(job("go"));
    const readers = SEEDS.map((seed) => new LeavingReader(seed));
    const reading = Promise.all(readers.map((reader) => reader.readAll(() => daemon, jobId)));
    for (const third of [0, 1, 2]) {
      const miner = await ScriptedMiner.join(daemon);
      const work = await miner.take();
      expect(work.offer.prefix).toBe(whole(textPiece, third));
      await deliverThird(work, third, textPiece);
      if (third < 2) {
        miner.disconnect();
        await miner.ended();
        continue;
      }
      work.complete();
      await miner.next("completed");
    }
    await reading;
    for (const { text } of readers) expect(text).toBe(whole(textPiece));
  });
});

describe("a call that is not streamed and timed out", () => {
  it("is collected by its id: as a stream, as a result, with its receipt", async () => {
    const daemon = await bootDaemon();
    const engine = await joinPlanned(daemon);
    const openai = openAiClient(daemon, { timeout: 300 });
    const messages = [{ role: "user" as const, content: "go" }];
    const call = openai.chat.completions.create(
      { model: PLANNED_MODEL, messages },
      { headers: { "x-aitbc-detach": "true" } },
    );
    await expect(call).rejects.toThrow(OpenAI.APIConnectionTimeoutError);
    const run = await engine.nth(0);
    await run.write("all ");
    await run.write("of it");
    run.end();
    // The caller that has no id yet finds it as the newest of its jobs.
    const [newest] = (await daemon.client.listJobs({ limit: 1 })).items;
    const jobId = newest?.job_id ?? "";
    expect((await readStream(daemon.client, jobId)).text).toBe("all of it");
    const { result, receipt } = await daemon.client.getResult(jobId);
    expect(result.text).toBe("all of it");
    expect(receipt).toMatchObject({ job_id: jobId, model: PLANNED_MODEL });
  });
});
