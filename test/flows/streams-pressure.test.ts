/** Readers that take nothing, and miners that send without end: neither costs anybody else anything. */
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { Delivery } from "../../src/roles/coordinator/delivery.ts";
import { MAX_UNSTORED_BYTES } from "../../src/roles/coordinator/limits.ts";
import { MAX_CHUNK_BYTES } from "../../src/wire/limits.ts";
import { bootDaemon, type TestDaemon } from "../harness/daemon.ts";
import { readStream } from "../harness/events.ts";
import { expectSound, job, receiptsOf } from "../harness/jobs.ts";
import { heldBytes } from "../harness/memory.ts";
import { poll } from "../harness/poll.ts";
import { ScriptedMiner, TEST_MODEL, type Work } from "../harness/scripted-miner.ts";

const PROMPT = "go";
const MIB = 1024 * 1024;
/** What a reader that takes nothing may cost the daemon, in bytes; the test's own end of it is counted too. */
const MAX_READER_BYTES = MIB;
const READERS = 4;
/** Characters that are six times as long in JSON: the dearest text there is. */
const DEAR = "\u0001".repeat(MAX_CHUNK_BYTES / 4);
/** So much that no socket takes all of it. */
const DEAR_PIECES = 160;
const KEY = "stalled-readers";
/** The opening of a WebSocket, with RFC 6455's own sample key. */
const UPGRADE = [
  "connection: Upgrade",
  "upgrade: websocket",
  "sec-websocket-version: 13",
  "sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==",
];

/** Sends a request over a connection of which nothing is read until the test does. */
async function stall(
  daemon: TestDaemon,
  method: string,
  path: string,
  body = "",
  more: readonly string[] = ["connection: close"],
): Promise<Socket> {
  const { hostname, port } = new URL(daemon.url);
  const socket = connect({ host: hostname, port: Number(port) });
  onTestFinished(() => void socket.destroy());
  await once(socket, "connect");
  socket.pause();
  const head = [
    `${method} ${path} HTTP/1.1`,
    "host: x",
    `x-api-key: ${daemon.keys.client}`,
    `idempotency-key: ${KEY}`,
    "content-type: application/json",
    `content-length: ${Buffer.byteLength(body)}`,
    ...more,
  ];
  socket.write(`${head.join("\r\n")}\r\n\r\n${body}`);
  return socket;
}

const readers = (daemon: TestDaemon): Promise<number> => daemon.metric("aitbc_coordinator_stream_readers");

async function untilReaders(daemon: TestDaemon, count: number): Promise<void> {
  await poll(
    () => readers(daemon),
    (now) => now === count,
  );
}

const CHAT = { model: TEST_MODEL, messages: [{ role: "user", content: PROMPT }], stream: true };

/** Ways to read a job's text as it comes. Calls with the same key read the same job. */
const APIS: readonly [string, (daemon: TestDaemon) => Promise<() => Promise<Socket>>][] = [
  [
    "GET /v1/jobs/{id}/events",
    async (daemon) => {
      const { job_id } = await daemon.client.submitJob(job(PROMPT));
      return () => stall(daemon, "GET", `/v1/jobs/${job_id}/events`);
    },
  ],
  [
    "POST /v1/chat/completions",
    async (daemon) => () => stall(daemon, "POST", "/v1/chat/completions", JSON.stringify(CHAT)),
  ],
  ["POST /api/chat", async (daemon) => () => stall(daemon, "POST", "/api/chat", JSON.stringify(CHAT))],
];

async function deliverDear(work: Work): Promise<void> {
  for (let n = 0; n < DEAR_PIECES; n++) await work.deliver(DEAR);
}

async function finish(miner: ScriptedMiner, work: Work): Promise<void> {
  work.complete();
  await miner.next("completed");
}

describe("readers that take nothing", () => {
  it.each(APIS)("of %s cost less than 1 MiB each, and hold up nobody", async (_name, open) => {
    const daemon = await bootDaemon({ settings: { "http.rate_limit_burst": "1000" } });
    const miner = await ScriptedMiner.join(daemon, { register: { slots: 2 } });
    const stallOne = await open(daemon);
    const sockets = [await stallOne()];
    const work = await miner.take();
    while (sockets.length < READERS / 2) sockets.push(await stallOne());
    await untilReaders(daemon, READERS / 2);
    const live = readStream(daemon.client, work.lease.job_id);
    // The same miner's other job comes and goes while the first one's text runs into stalled sockets.
    const { job_id: otherId } = await daemon.client.submitJob(job(PROMPT));
    const other = await miner.take();
    await deliverDear(work);
    await other.deliver("quick");
    await finish(miner, other);
    expect((await daemon.client.getResult(otherId)).result.text).toBe("quick");
    // The late ones find everything in the database.
    while (sockets.length < READERS) sockets.push(await stallOne());
    await finish(miner, work);
    expect((await live).text).toBe(DEAR.repeat(DEAR_PIECES));
    expect((await daemon.client.getJob(work.lease.job_id)).state).toBe("COMPLETED");
    await untilReaders(daemon, READERS);
    const stalled = heldBytes();
    for (const socket of sockets) socket.destroy();
    await untilReaders(daemon, 0);
    const cost = (stalled - heldBytes()) / READERS;
    expect(cost).toBeLessThan(MAX_READER_BYTES);
  });

  it("of /v1/ws/client hold up nobody either", async () => {
    const daemon = await bootDaemon();
    const { job_id: jobId } = await daemon.client.submitJob(job(PROMPT));
    const path = `/v1/ws/client?job_id=${jobId}`;
    await stall(daemon, "GET", path, "", UPGRADE);
    await untilReaders(daemon, 1);
    const miner = await ScriptedMiner.join(daemon);
    const work = await miner.take();
    await work.deliver(DEAR);
    await finish(miner, work);
    expect((await readStream(daemon.client, jobId)).text).toBe(DEAR);
  });
});

describe("a miner that sends faster than the disk takes it", () => {
  it("loses that lease and no other one; what came before is stored and paid", async () => {
    const daemon = await bootDaemon();
    const [flooder, honest] = [await ScriptedMiner.join(daemon), await ScriptedMiner.join(daemon)];
    const first = await daemon.client.submitJob(job(PROMPT));
    const flooding = await flooder.take();
    const second = await daemon.client.submitJob(job(PROMPT));
    const quiet = await honest.take();
    // A disk that stands still, for the flooded job alone: nothing else here could be made to.
    const { schedule } = Delivery.prototype;
    const spy = vi.spyOn(Delivery.prototype, "schedule").mockImplementation(function (this: Delivery, lease) {
      if (lease.jobId !== first.job_id) schedule.call(this, lease);
    });
    onTestFinished(() => spy.mockRestore());
    const piece = "x".repeat(MAX_CHUNK_BYTES);
    const most = MAX_UNSTORED_BYTES / MAX_CHUNK_BYTES;
    for (let n = 0; n <= most; n++) flooding.chunk(piece);
    const { code, detail } = await flooding.fenced();
    expect(code).toBe("PROTOCOL_VIOLATION");
    expect(detail).toMatch(/wait to be stored/);
    spy.mockRestore();
    await quiet.deliver("untouched");
    await finish(honest, quiet);
    expect((await daemon.client.getResult(second.job_id)).result.text).toBe("untouched");
    // What came within the bound is stored, told and paid; it is too much for another miner to go on with.
    const { text, end } = await readStream(daemon.client, first.job_id);
    expect(text).toBe(piece.repeat(most));
    expect(end).toMatchObject({ state: "FAILED", error: expect.stringContaining("PROTOCOL_VIOLATION") });
    expectSound(await receiptsOf(daemon.client, first.job_id), text, PROMPT);
    // Its session lives, for what it does right.
    honest.disconnect();
    const third = await daemon.client.submitJob(job(PROMPT));
    const good = await flooder.take();
    await good.deliver("good");
    await finish(flooder, good);
    expect((await daemon.client.getResult(third.job_id)).result.text).toBe("good");
  });
});
