/** The WebSockets that existing miners and clients open, typed by hand as those programs use them. */
import { describe, expect, it } from "vitest";
import { TestClock } from "../harness/clock.ts";
import { bootDaemon, type TestDaemon } from "../harness/daemon.ts";
import { waitForState } from "../harness/events.ts";
import { job } from "../harness/jobs.ts";
import { PlainCaller } from "../harness/plain-caller.ts";
import { PlainSocket } from "../harness/plain-socket.ts";
import { awaitSweep } from "../harness/sweep.ts";

const REGISTRATION = { capabilities: { models: ["llama3"] }, concurrency: 2, region: "eu" };
const PROMPT = "Why?";

async function bench() {
  const clock = new TestClock();
  const daemon = await bootDaemon({ clock, settings: { "coordinator.allow_keyless_miners": "true" } });
  const miner = PlainCaller.miner(daemon, "gpu-1");
  await miner.post("/v1/miners/register", REGISTRATION);
  return { clock, daemon, miner };
}

const openMiner = (daemon: TestDaemon, key = daemon.keys.miner, name = "gpu-1"): Promise<PlainSocket> =>
  PlainSocket.open(`${daemon.url}/v1/ws/miner`, { "X-Api-Key": key, "X-Miner-ID": name });

const openClient = (daemon: TestDaemon, jobId: string, key = daemon.keys.client): Promise<PlainSocket> =>
  PlainSocket.open(`${daemon.url}/v1/ws/client?job_id=${jobId}`, { "X-Api-Key": key });

describe("/v1/ws/miner", () => {
  it("hands jobs over as they come and takes heartbeat, result and fail", async () => {
    const { clock, daemon } = await bench();
    const socket = await openMiner(daemon);
    const first = (await daemon.client.submitJob(job(PROMPT))).job_id;
    expect(await socket.next()).toMatchObject({
      type: "job.assigned",
      job_id: first,
      lease_token: 1,
      payload: { type: "inference", prompt: PROMPT, model: "llama3" },
      constraints: {},
    });
    const second = (await daemon.client.submitJob(job(PROMPT))).job_id;
    expect(await socket.next()).toMatchObject({ type: "job.assigned", job_id: second });
    clock.advance(20_000);
    socket.send({ type: "heartbeat", inflight: 2, status: "ONLINE", metadata: {} });
    expect(await socket.next()).toMatchObject({ type: "heartbeat.ok", leases: [{}, {}] });
    clock.advance(20_000);
    await awaitSweep(daemon, clock);
    socket.send({ type: "result", job_id: first, result: { output: "Because." }, metrics: {} });
    const done = await socket.next();
    expect(done).toMatchObject({ type: "result.ok", job_id: first, receipt: { job_id: first } });
    socket.send({ type: "result", job_id: first, result: { output: "Again." }, metrics: {} });
    expect(await socket.next()).toMatchObject({ type: "error", code: "STALE_LEASE", job_id: first });
    socket.send({ type: "fail", job_id: second, error_code: "INVALID_PAYLOAD", error_message: "no" });
    expect(await socket.next()).toMatchObject({ type: "fail.ok", job_id: second });
    expect((await daemon.client.getResult(first)).result.text).toBe("Because.");
    expect((await daemon.client.getJob(second)).error).toBe("INVALID_PAYLOAD: no");
  });

  it("answers what is no frame with an error, and goes on", async () => {
    const { daemon } = await bench();
    const socket = await openMiner(daemon);
    for (const frame of ["{", '{"type":"type","type":"twice"}', { type: "result" }, { type: "mint" }, []]) {
      socket.send(frame);
      expect(await socket.next()).toMatchObject({ type: "error", detail: expect.any(String) });
    }
    socket.send({ type: "heartbeat" });
    expect(await socket.next()).toMatchObject({ type: "heartbeat.ok" });
  });

  it("tells of a canceled job", async () => {
    const { daemon } = await bench();
    const socket = await openMiner(daemon);
    const { job_id: jobId } = await daemon.client.submitJob(job(PROMPT));
    await socket.next();
    await daemon.client.cancelJob(jobId);
    expect(await socket.next()).toMatchObject({ type: "job.revoked", job_id: jobId, code: "JOB_CANCELED" });
  });

  it("that closes leaves its jobs to heartbeats over HTTP; without them they wait again", async () => {
    const { clock, daemon, miner } = await bench();
    const socket = await openMiner(daemon);
    const { job_id: jobId } = await daemon.client.submitJob(job(PROMPT));
    await socket.next();
    socket.close();
    await socket.ended();
    clock.advance(20_000);
    await miner.post("/v1/miners/heartbeat", { inflight: 1 });
    clock.advance(20_000);
    await awaitSweep(daemon, clock);
    expect((await daemon.client.getJob(jobId)).state).toBe("RUNNING");
    clock.advance(10_000);
    await waitForState(daemon.client, jobId, ({ state }) => state === "QUEUED");
  });

  it("is not opened without a miner's key, nor for a miner that is not registered", async () => {
    const { daemon } = await bench();
    await expect(openMiner(daemon, "nonsense")).rejects.toThrow("401");
    await expect(openMiner(daemon, daemon.keys.client)).rejects.toThrow("403");
    await expect(openMiner(daemon, daemon.keys.miner, "nobody")).rejects.toThrow("404");
  });

  it("closes with the key that admitted it", async () => {
    const { daemon } = await bench();
    const { key, key_id } = await daemon.admin.createKey({ kind: "miner", name: "leaving" });
    await PlainCaller.miner(daemon, "gpu-1", key).post("/v1/miners/register", REGISTRATION);
    const socket = await openMiner(daemon, key);
    await daemon.admin.revokeKey(key_id);
    expect((await socket.ended()).reason).toBe("1001 the API key was revoked");
  });
});

describe("/v1/ws/client", () => {
  it("sends each state and result.ready, then closes", async () => {
    const { daemon, miner } = await bench();
    const { job_id: jobId } = await daemon.client.submitJob(job(PROMPT));
    const socket = await openClient(daemon, jobId);
    expect(await socket.next()).toMatchObject({ type: "state.changed", job_id: jobId, state: "QUEUED" });
    await miner.post("/v1/miners/poll", { max_wait_seconds: 5 });
    await miner.post(`/v1/miners/${jobId}/start`);
    expect(await socket.next()).toMatchObject({ type: "state.changed", state: "RUNNING" });
    await miner.post(`/v1/miners/${jobId}/result`, { result: "Because." });
    expect(await socket.next()).toMatchObject({ type: "state.changed", state: "COMPLETED" });
    expect(await socket.next()).toMatchObject({ type: "result.ready", job_id: jobId, state: "COMPLETED" });
    expect((await socket.ended()).reason).toMatch(/^1000 /);
  });

  it("of a job that has ended says so at once", async () => {
    const { daemon } = await bench();
    const { job_id: jobId } = await daemon.client.submitJob(job(PROMPT));
    await daemon.client.cancelJob(jobId);
    const { frames } = await (await openClient(daemon, jobId)).ended();
    expect(frames.map(({ type, state }) => [type, state])).toEqual([
      ["state.changed", "CANCELED"],
      ["result.ready", "CANCELED"],
    ]);
  });

  it("is not opened for another client's job, nor for none, nor without a key", async () => {
    const { daemon } = await bench();
    const { job_id: jobId } = await daemon.client.submitJob(job(PROMPT));
    const { key } = await daemon.admin.createKey({ kind: "client", name: "stranger" });
    await expect(openClient(daemon, jobId, key)).rejects.toThrow("404");
    await expect(openClient(daemon, "nonsense")).rejects.toThrow("404");
    await expect(openClient(daemon, jobId, "nonsense")).rejects.toThrow("401");
    await expect(openClient(daemon, jobId, daemon.keys.miner)).rejects.toThrow("403");
  });
});
