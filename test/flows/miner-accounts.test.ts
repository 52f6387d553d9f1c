/** What the owner of a miner, an administrator and a stranger may ask about it, over a real socket. */
import { describe, expect, it } from "vitest";
import { bootDaemon, type TestDaemon } from "../harness/daemon.ts";
import { readStream } from "../harness/events.ts";
import { job } from "../harness/jobs.ts";
import { PlainCaller } from "../harness/plain-caller.ts";
import { ScriptedMiner } from "../harness/scripted-miner.ts";

const PROMPT = "Why?";

async function bench() {
  const daemon = await bootDaemon({ settings: { "coordinator.allow_keyless_miners": "true" } });
  const owner = PlainCaller.miner(daemon);
  const miner = await ScriptedMiner.join(daemon);
  return { daemon, owner, miner };
}

const idOf = (daemon: TestDaemon): string =>
  daemon.query<{ miner_id: string }>("select miner_id from coordinator_miner")[0]?.miner_id ?? "";

describe("GET /v1/miners/{miner_id}", () => {
  it("tells state, running jobs, models and speeds to the owner and to administrators, to nobody else", async () => {
    const { daemon, owner, miner } = await bench();
    const id = idOf(daemon);
    const { job_id } = await daemon.client.submitJob(job(PROMPT));
    const work = await miner.take();
    const admin = new PlainCaller(daemon.url, daemon.keys.admin);
    for (const caller of [owner, admin]) {
      const { status, body } = await caller.get(`/v1/miners/${id}`);
      expect(status).toBe(200);
      expect(body).toMatchObject({
        miner_id: id,
        status: "ONLINE",
        reason: null,
        inflight: 1,
        jobs: [{ job_id, lease_token: 1 }],
        last_heartbeat: expect.stringMatching(/Z$/),
        capabilities: {
          models: [expect.objectContaining({ name: expect.any(String), engine: expect.any(String) })],
        },
      });
    }
    const stranger = await daemon.admin.createKey({ kind: "miner", name: "stranger" });
    for (const path of ["", "/jobs", "/earnings"]) {
      expect((await PlainCaller.miner(daemon, "x", stranger.key).get(`/v1/miners/${id}${path}`)).status).toBe(
        404,
      );
      const asClient = await new PlainCaller(daemon.url, daemon.keys.client).get(`/v1/miners/${id}${path}`);
      expect(asClient.status).toBe(403);
    }
    await work.deliver("done");
    await work.complete();
    await readStream(daemon.client, job_id);
    for (const method of ["GET", "POST"]) {
      const jobs = await admin.call(method, `/v1/miners/${id}/jobs`);
      expect(jobs).toMatchObject({ status: 200, body: { total: 1, jobs: [{ job_id }] } });
      const earnings = await admin.call(method, `/v1/miners/${id}/earnings`);
      expect(earnings).toMatchObject({ status: 200, body: { completed_jobs: 1 } });
    }
    miner.disconnect();
    const gone = async () => (await owner.get(`/v1/miners/${id}`)).body;
    await expect.poll(gone).toMatchObject({ status: "OFFLINE", capabilities: null, jobs: [] });
  });
});

describe("draining a miner with a key", () => {
  it.each([
    ["POST /v1/miners/{id}/drain", (owner: PlainCaller, id: string) => owner.post(`/v1/miners/${id}/drain`)],
    [
      "POST /v1/miners/drain with its id in X-Miner-ID",
      (_owner: PlainCaller, id: string, daemon: TestDaemon) =>
        PlainCaller.miner(daemon, id).post("/v1/miners/drain"),
    ],
  ])(
    "%s: its jobs go on, it gets no new ones until it is activated, and the job says why",
    async (_name, drain) => {
      const { daemon, owner, miner } = await bench();
      const id = idOf(daemon);
      const first = await daemon.client.submitJob(job(PROMPT));
      const work = await miner.take();
      expect((await drain(owner, id, daemon)).status).toBe(200);
      const second = await daemon.client.submitJob(job(PROMPT));
      const { queue } = await daemon.client.getJob(second.job_id);
      expect(queue).toMatchObject({
        miners_online: 1,
        miners_eligible: 0,
        reason: "1 miner online, none fits: its owner keeps it from new jobs",
      });
      const { body } = await owner.get(`/v1/miners/${id}`);
      expect(body).toMatchObject({ status: "DRAINING", reason: "its owner keeps it from new jobs" });
      await work.deliver("done");
      await work.complete();
      expect((await readStream(daemon.client, first.job_id)).end?.state).toBe("COMPLETED");
      expect((await daemon.client.getJob(second.job_id)).state).toBe("QUEUED");
      expect((await owner.post(`/v1/miners/${id}/activate`)).body["status"]).toBe("ONLINE");
      expect((await miner.take()).lease.job_id).toBe(second.job_id);
    },
  );

  it("holds over a restart, and neither side ends what the other decided", async () => {
    const { daemon, owner, miner } = await bench();
    const id = idOf(daemon);
    await owner.post(`/v1/miners/${id}/drain`);
    const next = await daemon.restart();
    await ScriptedMiner.join(next, { key: miner.key });
    const status = async () => (await owner.get(`/v1/miners/${id}`)).body["status"];
    await expect.poll(status).toBe("DRAINING");
    await next.admin.setMinerActive(id, true);
    expect(await status()).toBe("DRAINING");
    await next.admin.setMinerActive(id, false);
    await owner.post(`/v1/miners/${id}/activate`);
    expect(await status()).toBe("QUARANTINED");
    await next.admin.setMinerActive(id, true);
    expect(await status()).toBe("ONLINE");
  });

  it("is the owner's: another key's call finds no such miner and changes nothing", async () => {
    const { daemon, owner } = await bench();
    const id = idOf(daemon);
    const { key } = await daemon.admin.createKey({ kind: "miner", name: "stranger" });
    const stranger = PlainCaller.miner(daemon, id, key);
    for (const path of ["/v1/miners/drain", `/v1/miners/${id}/drain`, `/v1/miners/${id}/activate`]) {
      expect((await stranger.post(path)).status).toBe(404);
    }
    const { body } = await owner.get(`/v1/miners/${id}`);
    expect(body["status"]).toBe("ONLINE");
  });
});

describe("a miner without a key", () => {
  it("is seen and drained by its name as well, until it is activated", async () => {
    const { daemon } = await bench();
    const keyless = PlainCaller.miner(daemon, "gpu-1");
    await keyless.post("/v1/miners/register", { capabilities: { models: ["only-here"] } });
    expect((await keyless.get("/v1/miners/gpu-1")).body).toMatchObject({
      status: "ONLINE",
      capabilities: { models: [{ name: "only-here", engine: "keyless", tokens_per_second: null }] },
    });
    expect((await keyless.post("/v1/miners/gpu-1/drain")).body["status"]).toBe("DRAINING");
    const { job_id } = await daemon.client.submitJob({
      payload: { type: "inference", prompt: PROMPT, model: "only-here" },
    });
    expect((await keyless.post("/v1/miners/poll", { max_wait_seconds: 0 })).status).toBe(204);
    expect((await keyless.post("/v1/miners/gpu-1/activate")).body["status"]).toBe("ONLINE");
    const poll = await keyless.post("/v1/miners/poll", { max_wait_seconds: 5 });
    expect(poll.body["job_id"]).toBe(job_id);
  });
});
