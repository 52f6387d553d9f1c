import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { describe, expect, it, onTestFinished } from "vitest";
import { bootDaemon, type TestDaemon } from "../harness/daemon.ts";
import { codeOf } from "../harness/database.ts";
import { readStream, readUntil, toReading } from "../harness/events.ts";
import { expectSound, job, receiptsOf } from "../harness/jobs.ts";
import { PlainSocket } from "../harness/plain-socket.ts";
import { poll } from "../harness/poll.ts";
import { ScriptedMiner, type Work } from "../harness/scripted-miner.ts";

const PROMPT = "go";

async function running(
  settings: Readonly<Record<string, string>> = {},
): Promise<{ daemon: TestDaemon; miner: ScriptedMiner; work: Work; jobId: string }> {
  const daemon = await bootDaemon({ settings });
  const { job_id: jobId } = await daemon.client.submitJob(job(PROMPT));
  const miner = await ScriptedMiner.join(daemon);
  return { daemon, miner, work: await miner.take(), jobId };
}

/** Delivers numbered pieces, each stored before the next. */
async function deliverAll(work: Work, from: number, to: number): Promise<void> {
  for (let n = from; n <= to; n++) await work.deliver(`<${n}>`);
}

const numbered = (to: number): string => Array.from({ length: to }, (_, n) => `<${n + 1}>`).join("");

async function finish(miner: ScriptedMiner, work: Work): Promise<void> {
  work.complete();
  await miner.next("completed");
}

/** Asks for a stream over a bare connection whose reader takes nothing until it is told to. */
async function stalledReader(daemon: TestDaemon, jobId: string): Promise<Socket> {
  const { hostname, port } = new URL(daemon.url);
  const socket = connect({ host: hostname, port: Number(port) });
  onTestFinished(() => void socket.destroy());
  await once(socket, "connect");
  socket.pause();
  socket.write(
    `GET /v1/jobs/${jobId}/events HTTP/1.1\r\nHost: x\r\nX-Api-Key: ${daemon.keys.client}\r\nConnection: close\r\n\r\n`,
  );
  return socket;
}

describe("a job's stream", () => {
  it("resumes after Last-Event-ID, mid-stream and after the end, with no byte twice or missing", async () => {
    const { daemon, miner, work, jobId } = await running();
    const { client } = daemon;
    await deliverAll(work, 1, 5);
    const first = await readUntil(client, jobId, (event) => event.event === "chunk" && event.id === 3);
    const second = readStream(client, jobId, { lastEventId: 3 });
    await deliverAll(work, 6, 8);
    await finish(miner, work);
    expect(first.text + (await second).text).toBe(numbered(8));
    expect((await second).seqs[0]).toBe(4);
    for (let seq = 0; seq <= 8; seq++) {
      const rest = await readStream(client, jobId, { lastEventId: seq });
      expect(rest.text).toBe(numbered(8).slice(numbered(seq).length));
      expect(rest.end?.state).toBe("COMPLETED");
    }
    const done = await fetch(`${daemon.url}/v1/jobs/${jobId}/events`, {
      headers: { "x-api-key": daemon.keys.client, "last-event-id": "9" },
    });
    expect(done.status).toBe(204);
  });

  it("goes on across a restart of the daemon, with no byte twice or missing", async () => {
    const { daemon, miner, work, jobId } = await running();
    await deliverAll(work, 1, 4);
    // One reader lives through the restart, as the client does; another one comes back with its last id.
    const through = readStream(daemon.client, jobId);
    const before = await readUntil(
      daemon.client,
      jobId,
      (event) => event.event === "chunk" && event.id === 2,
    );
    const next = await daemon.restart();
    const back = await ScriptedMiner.join(next, { key: miner.key, register: { running: [work.lease] } });
    expect(back.all("registered")[0]).toMatchObject({ resume: [{ ...work.lease, bytes: 12 }], lost: [] });
    work.moveTo(back);
    await deliverAll(work, 5, 7);
    await finish(back, work);
    const after = await readStream(next.client, jobId, { lastEventId: 2 });
    expect(before.text + after.text).toBe(numbered(7));
    const whole = await through;
    expect(whole.text).toBe(numbered(7));
    expect(whole.seqs).toEqual([1, 2, 3, 4, 5, 6, 7]);
    expectSound(await receiptsOf(next.client, jobId), numbered(7), PROMPT);
  });

  it("goes to many readers alike, whenever they come", async () => {
    const { daemon, miner, work, jobId } = await running();
    const early = [readStream(daemon.client, jobId), readStream(daemon.admin, jobId)];
    await deliverAll(work, 1, 3);
    const late = readStream(daemon.client, jobId);
    await deliverAll(work, 4, 6);
    await finish(miner, work);
    for (const reader of [...early, late]) expect((await reader).text).toBe(numbered(6));
    expect(await daemon.metric("aitbc_coordinator_stream_readers")).toBe(0);
  });

  it("holds nothing back for a reader that never reads, and gives it everything when it does", async () => {
    const { daemon, miner, work, jobId } = await running();
    const stalled = await stalledReader(daemon, jobId);
    const live = readStream(daemon.client, jobId);
    // More than the sockets and the ring take: the rest has to come from the database.
    const piece = "0123456789abcdef".repeat(2048);
    for (let n = 0; n < 24; n++) await work.deliver(piece);
    await finish(miner, work);
    expect((await live).text).toBe(piece.repeat(24));
    const parts: Buffer[] = [];
    stalled.on("data", (part: Buffer) => parts.push(part));
    stalled.resume();
    await once(stalled, "end");
    const ids = [
      ...Buffer.concat(parts)
        .toString()
        .matchAll(/^event: chunk\nid: (\d+)$/gm),
    ].map(([, id]) => Number(id));
    expect(ids).toEqual(Array.from({ length: ids.length }, (_, n) => n + 1));
    const texts = [
      ...Buffer.concat(parts)
        .toString()
        .matchAll(/"text":"([^"]*)"/g),
    ].map(([, text]) => text);
    expect(texts.join("")).toBe(piece.repeat(24));
    expect(Buffer.concat(parts).toString()).toContain("event: end\n");
  });

  it("whose reader has gone is read by nobody: the place is free, the job runs on", async () => {
    const { daemon, miner, work, jobId } = await running({ "coordinator.max_streams": "1" });
    const { client } = daemon;
    const abort = new AbortController();
    const reading = readStream(client, jobId, { signal: abort.signal });
    const left = expect(reading).rejects.toMatchObject({ code: "INTERRUPTED" });
    await work.deliver("a");
    expect(await codeOf(readStream(client, jobId))).toBe("LIMIT_EXCEEDED");
    abort.abort();
    await left;
    // The daemon hears of the closed connection when the next thing happens on it.
    await work.deliver("b");
    await poll(
      () => daemon.metric("aitbc_coordinator_stream_readers"),
      (readers) => readers === 0,
    );
    await finish(miner, work);
    expect((await readStream(client, jobId)).text).toBe("ab");
  });

  it("is open to as many readers as the limit says, however many come at once", async () => {
    const { daemon, jobId } = await running({ "coordinator.max_streams": "3" });
    const headers = { "x-api-key": daemon.keys.client };
    const ask = () => PlainSocket.open(`${daemon.url}/v1/ws/client?job_id=${jobId}`, headers);
    const answers = await Promise.allSettled(Array.from({ length: 12 }, ask));
    expect(answers.filter(({ status }) => status === "fulfilled")).toHaveLength(3);
    expect(await daemon.metric("aitbc_coordinator_stream_readers")).toBe(3);
  });

  it("asked for with HEAD takes no reader's place", async () => {
    const { daemon, work, jobId } = await running();
    const headers = { "x-api-key": daemon.keys.client };
    const head = await fetch(`${daemon.url}/v1/jobs/${jobId}/events`, { method: "HEAD", headers });
    expect(head.status).toBeLessThan(500);
    await work.deliver("a");
    expect(await daemon.metric("aitbc_coordinator_stream_readers")).toBe(0);
  });

  it("shows each state once, and the seam between two miners", async () => {
    const { daemon, miner, work, jobId } = await running({ "coordinator.reconnect_grace_seconds": "0" });
    const reading = readStream(daemon.client, jobId);
    await work.deliver("one ");
    miner.disconnect();
    const other = await ScriptedMiner.join(daemon);
    const rest = await other.take();
    await rest.deliver("two");
    await finish(other, rest);
    const { events, text } = await reading;
    expect(text).toBe("one two");
    const chunks = events.flatMap((event) => (event.event === "chunk" ? [event.data] : []));
    expect(chunks.map(({ segment, text: part }) => [segment, part])).toEqual([
      [1, "one "],
      [2, "two"],
    ]);
    const states = events.flatMap((event) =>
      event.event === "state" ? [`${event.data.state} ${event.data.attempt}`] : [],
    );
    expect([...new Set(states)]).toEqual(["RUNNING 1", "QUEUED 1", "RUNNING 2"]);
    expect(toReading(events).end?.state).toBe("COMPLETED");
  });

  it("refuses a Last-Event-ID that is none", async () => {
    const { daemon, jobId } = await running();
    for (const id of ["-1", "1e3", "x", "9".repeat(16)]) {
      const headers = { "x-api-key": daemon.keys.client, "last-event-id": id };
      const response = await fetch(`${daemon.url}/v1/jobs/${jobId}/events`, { headers });
      expect(response.status).toBe(422);
      await response.body?.cancel();
    }
  });
});
