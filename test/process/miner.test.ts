import { describe, expect, it, onTestFinished } from "vitest";
import { readStream, waitForState } from "../harness/events.ts";
import { expectSound, failures, job, receiptsOf, verify } from "../harness/jobs.ts";
import { type Running, Sandbox, type Served } from "../harness/process.ts";

const PROMPT = "Tell me a story about a fox";
/** Greedy, so that every run of the same model writes the same. */
const STORY = { payload: { type: "inference" as const, prompt: PROMPT, temperature: 0 } };

async function coordinator(): Promise<{ machine: Sandbox; served: Served }> {
  const machine = new Sandbox();
  onTestFinished(() => machine[Symbol.asyncDispose]());
  const env = { AITBC_COORDINATOR__RECONNECT_GRACE_SECONDS: "0" };
  return { machine, served: await machine.serve(["--roles", "coordinator"], { env }) };
}

/** A miner in a second terminal of the same machine, once its session is open. */
async function startMiner(machine: Sandbox, served: Served, ...args: readonly string[]): Promise<Running> {
  const running = machine.spawn(["miner", "start", ...args], {
    env: { AITBC_URL: served.url, AITBC_LOG__FORMAT: "json" },
  });
  await running.match(/session with the coordinator is open/);
  return running;
}

describe("aitbc miner start", () => {
  it("beside a coordinator on the same machine needs no set-up", async () => {
    const { machine, served } = await coordinator();
    const client = served.client();
    const { job_id } = await client.submitJob(job("What is 37 + 45?"));
    await waitForState(client, job_id, ({ queue }) => queue?.reason === "no miner is online");
    const miner = await startMiner(machine, served, "--name", "garage");
    const { text, end } = await readStream(client, job_id);
    expect([text, end?.state]).toEqual(["37 + 45 = 82.", "COMPLETED"]);
    miner.signal("SIGTERM");
    expect((await miner.ended).code).toBe(0);
  });

  it("killed in the middle of its jobs costs none of them: another miner finishes what it began", async () => {
    const { machine, served } = await coordinator();
    const client = served.client();
    const first = await startMiner(machine, served, "--slots", "4");
    const views = await Promise.all(Array.from({ length: 12 }, () => client.submitJob(STORY)));
    const [{ job_id } = { job_id: "" }] = views;
    await waitForState(client, job_id, ({ state }) => state === "RUNNING");
    first.signal("SIGKILL");
    await first.ended;
    await startMiner(machine, served, "--slots", "4");
    const readings = await Promise.all(views.map((view) => readStream(client, view.job_id)));
    expect(readings.map(({ end }) => end?.state)).toEqual(views.map(() => "COMPLETED"));
    const finals = await Promise.all(views.map((view) => client.getJob(view.job_id)));
    expect(Math.max(...finals.map(({ attempts }) => attempts))).toBe(2);
    for (const [index, view] of views.entries()) {
      const { text } = readings[index] ?? { text: "" };
      const receipts = await receiptsOf(client, view.job_id);
      expectSound(receipts, text, PROMPT);
      for (const receipt of receipts) expect(failures(verify(receipt, text))).toEqual([]);
    }
    expect(new Set(readings.map(({ text }) => text)).size).toBe(1);
  });
});

describe("aitbc miner jobs and earnings", () => {
  it("tell what the miner of this machine ran and earned, and refuse a miner that is not known", async () => {
    const { machine, served } = await coordinator();
    const env = { AITBC_URL: served.url };
    const early = await machine.run(["miner", "jobs"], { env });
    expect(early.code).toBe(2);
    expect(early.stderr).toContain("no miner has run in");
    await startMiner(machine, served);
    const client = served.client();
    const { job_id } = await client.submitJob(job("What is 37 + 45?"));
    await readStream(client, job_id);
    const jobs = await machine.run(["miner", "jobs", "--output", "json"], { env });
    expect(JSON.parse(jobs.stdout)).toMatchObject({ total: 1, jobs: [{ job_id, state: "COMPLETED" }] });
    const earnings = await machine.run(["miner", "earnings", "--output", "json"], { env });
    expect(JSON.parse(earnings.stdout)).toMatchObject({ completed_jobs: 1, currency: "AITBC" });
    expect((await machine.run(["miner", "earnings"], { env })).stdout).toMatch(/jobs completed +1/);
    const stranger = await machine.run(["miner", "jobs", "nobody"], { env });
    expect([stranger.code, stranger.stderr]).toEqual([5, expect.stringContaining("miner not registered")]);
  });
});
