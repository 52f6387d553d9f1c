/** Outputs over 1 MiB: streamed like any other, and an artifact where a result would carry them. */
import { createHash } from "node:crypto";
import { connect } from "node:net";
import { buffer } from "node:stream/consumers";
import { describe, expect, it } from "vitest";
import { MAX_CHUNK_BYTES, MAX_CONTINUED_BYTES, MAX_INLINE_BYTES } from "../../src/wire/limits.ts";
import { bootDaemon, type TestDaemon } from "../harness/daemon.ts";
import { readStream } from "../harness/events.ts";
import { failures, job, receiptsOf, verify } from "../harness/jobs.ts";
import { ScriptedMiner, type Work } from "../harness/scripted-miner.ts";

const PROMPT = "go on";
/** Text of three bytes a character, which no chunk size divides. */
const PART = "語".repeat(Math.floor(MAX_CHUNK_BYTES / 3));

const digest = (text: string): string => createHash("sha256").update(text).digest("hex");

async function running(): Promise<{
  daemon: TestDaemon;
  miner: ScriptedMiner;
  work: Work;
  jobId: string;
}> {
  const daemon = await bootDaemon();
  const { job_id: jobId } = await daemon.client.submitJob(job(PROMPT, { max_attempts: 2 }));
  const miner = await ScriptedMiner.join(daemon);
  return { daemon, miner, work: await miner.take(), jobId };
}

/** Delivers more than so many bytes; the whole text. */
async function deliver(work: Work, bytes: number): Promise<string> {
  let text = "";
  for (let n = 0; Buffer.byteLength(text) <= bytes; n++) {
    const part = `<${n}>${PART.slice(8)}`;
    await work.deliver(part);
    text += part;
  }
  return text;
}

const download = (daemon: TestDaemon, name: string, headers = {}, key = daemon.keys.client) =>
  fetch(`${daemon.url}/v1/artifacts/${name}`, { headers: { "x-api-key": key, ...headers } });

/** All that the server sends after the headers: a client that goes by the length would not see too much. */
async function everythingSent(daemon: TestDaemon, name: string, range: string): Promise<Buffer> {
  const { hostname, port } = new URL(daemon.url);
  const socket = connect(Number(port), hostname);
  socket.write(
    `GET /v1/artifacts/${name} HTTP/1.1\r\nhost: x\r\nconnection: close\r\nx-api-key: ${daemon.keys.client}\r\nrange: ${range}\r\n\r\n`,
  );
  const sent = await buffer(socket);
  return sent.subarray(sent.indexOf("\r\n\r\n") + 4);
}

describe("an output over 1 MiB", () => {
  it("is streamed in full; its result is an artifact of the same bytes, with a receipt about them", async () => {
    const { daemon, miner, work, jobId } = await running();
    const text = await deliver(work, 3 * MAX_INLINE_BYTES);
    work.complete();
    await miner.next("completed");
    expect((await readStream(daemon.client, jobId)).text).toBe(text);
    const { result, receipt } = await daemon.client.getResult(jobId);
    expect(result).toMatchObject({
      text: "",
      text_in_artifact: true,
      finish_reason: "stop",
      artifact: {
        artifact: `sha256:${digest(text)}`,
        size_bytes: Buffer.byteLength(text),
        media_type: "text/plain; charset=utf-8",
        expires_at: expect.stringMatching(/Z$/),
      },
    });
    expect(receipt?.["artifact_hash"]).toBe(result.artifact?.artifact);
    const [only, ...more] = await receiptsOf(daemon.client, jobId);
    expect(more).toEqual([]);
    expect(only && failures(verify(only, text))).toEqual([]);

    const whole = await download(daemon, digest(text));
    expect([whole.status, whole.headers.get("content-length")]).toEqual([
      200,
      String(Buffer.byteLength(text)),
    ]);
    expect(await whole.text()).toBe(text);
    // Once more, by a name that is known now.
    expect((await daemon.client.getResult(jobId)).result.artifact).toMatchObject({
      artifact: result.artifact?.artifact,
    });
    const bytes = Buffer.from(text);
    for (const [start, end] of [
      [0, 10],
      [MAX_INLINE_BYTES - 1, 2 * MAX_INLINE_BYTES + 7],
      [bytes.length - 5, bytes.length],
    ] as const) {
      const part = await everythingSent(daemon, digest(text), `bytes=${start}-${end - 1}`);
      expect(part.equals(bytes.subarray(start, end))).toBe(true);
    }
  });

  it("is for its client and administrators alone, and outlives a restart", async () => {
    const { daemon, miner, work, jobId } = await running();
    const text = await deliver(work, MAX_INLINE_BYTES);
    work.complete();
    await miner.next("completed");
    await daemon.client.getResult(jobId);
    const { key } = await daemon.admin.createKey({ kind: "client", name: "stranger" });
    for (const other of [key, daemon.keys.miner]) {
      expect((await download(daemon, digest(text), {}, other)).status).toBe(404);
    }
    expect((await download(daemon, digest(text), {}, daemon.keys.admin)).status).toBe(200);
    miner.disconnect();
    await daemon.daemon.stop();
    const next = await daemon.restart();
    expect(await (await download(next, digest(text))).text()).toBe(text);
  });

  it("of a job that is canceled is a partial result in the same way", async () => {
    const { daemon, work, jobId } = await running();
    const text = await deliver(work, MAX_INLINE_BYTES);
    await daemon.client.cancelJob(jobId);
    const { result } = await daemon.client.getResult(jobId);
    expect(result).toMatchObject({ partial: true, text_in_artifact: true });
    expect(await (await download(daemon, result.artifact?.artifact ?? "")).text()).toBe(text);
  });
});

describe("an output that is too long to be handed to another miner", () => {
  it("ends with its miner, and says so; what was delivered is served", async () => {
    const { daemon, work, jobId } = await running();
    const text = await deliver(work, MAX_CONTINUED_BYTES);
    work.fail("ENGINE_FAILED", true);
    const { end } = await readStream(daemon.client, jobId);
    expect(end).toMatchObject({ state: "FAILED" });
    const { error } = await daemon.client.getJob(jobId);
    expect(error).toContain("NOT_CONTINUABLE: the answer is too long");
    expect((await daemon.client.getResult(jobId)).result).toMatchObject({ partial: true, text });
  });
});
