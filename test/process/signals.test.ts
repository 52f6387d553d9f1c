import { once } from "node:events";
import { connect } from "node:net";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { EXIT } from "../../src/kernel/errors.ts";
import { readStream, readUntil, waitForState } from "../harness/events.ts";
import { job, receiptsOf } from "../harness/jobs.ts";
import { Sandbox, type Served, SINGLE_FILE } from "../harness/process.ts";
import { childrenOf, gone, isRunning } from "../harness/process-table.ts";

/** Where Node's inspector listens unless it is told otherwise. */
const INSPECTOR_PORT = 9229;
/** Exit code of a process that SIGINT forced to end (POSIX sh: 128 + 2). */
const FORCED_BY_SIGINT = 130;
const STORY = job("Tell me a story about a fox");

function sandbox(): Sandbox {
  const made = new Sandbox();
  onTestFinished(() => made[Symbol.asyncDispose]());
  return made;
}

/** Whether something listens on a port of this machine. */
async function listens(port: number): Promise<boolean> {
  const socket = connect({ host: "127.0.0.1", port });
  try {
    await once(socket, "connect");
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}

/** A daemon whose engine stands still in the middle of a job. */
async function withHangingEngine(
  machine: Sandbox,
  stopSeconds: string,
): Promise<{ served: Served; engine: number }> {
  const served = await machine.serve([], {
    env: { AITBC_STOP_SECONDS: stopSeconds, AITBC_MINER__DRAIN_SECONDS: stopSeconds },
  });
  const client = served.client();
  await readStream(client, (await client.submitJob(job("Hello"))).job_id);
  const [engine] = childrenOf(served.process.pid);
  if (engine === undefined) throw new Error("the engine runs in a child process");
  process.kill(engine, "SIGSTOP");
  onTestFinished(() => endStopped(engine));
  const { job_id } = await client.submitJob(STORY);
  await waitForState(client, job_id, ({ state }) => state === "RUNNING");
  return { served, engine };
}

function endStopped(pid: number): void {
  if (isRunning(pid)) process.kill(pid, "SIGKILL");
}

/** The engine ends with the daemon: at the latest when it can run again and finds nobody to talk to. */
async function expectGone(engine: number): Promise<void> {
  if (isRunning(engine)) process.kill(engine, "SIGCONT");
  await gone(engine);
}

describe("SIGTERM", () => {
  it("lets running work end, exits with 0 in time, and loses nothing", async () => {
    const machine = sandbox();
    const env = { AITBC_MINER__SLOTS: "1", AITBC_STOP_SECONDS: "5" };
    const first = await machine.serve([], { env });
    const views = await Promise.all(Array.from({ length: 6 }, () => first.client().submitJob(STORY)));
    const [{ job_id } = { job_id: "" }] = views;
    await readUntil(first.client(), job_id, (event) => event.event === "chunk");
    const askedAt = performance.now();
    const finished = await first.stop();
    expect([finished.code, finished.signal]).toEqual([0, null]);
    expect(performance.now() - askedAt).toBeLessThan(5000);

    const again = await machine.serve([], { env });
    const client = again.client();
    const readings = await Promise.all(views.map((view) => readStream(client, view.job_id)));
    expect(readings.map(({ end }) => end?.state)).toEqual(views.map(() => "COMPLETED"));
    for (const view of views) {
      // What ran when the signal came was not cut: one attempt, one receipt.
      expect((await client.getJob(view.job_id)).attempts).toBe(1);
      expect(await receiptsOf(client, view.job_id)).toHaveLength(1);
    }
    expect((await again.stop()).code).toBe(0);
  });

  it("does not wait longer than it may for an engine that hangs", async () => {
    const machine = sandbox();
    const { served, engine } = await withHangingEngine(machine, "1");
    const askedAt = performance.now();
    expect(await served.stop()).toMatchObject({ code: 0, signal: null });
    expect(performance.now() - askedAt).toBeLessThan(5000);
    await expectGone(engine);
  });

  it("followed by a second signal ends the process at once", async () => {
    const machine = sandbox();
    const { served, engine } = await withHangingEngine(machine, "3600");
    served.process.signal("SIGTERM");
    await served.process.match(/"msg":"stopping"/);
    const askedAt = performance.now();
    expect(await served.stop("SIGINT")).toMatchObject({ code: FORCED_BY_SIGINT, signal: null });
    expect(performance.now() - askedAt).toBeLessThan(2000);
    await expectGone(engine);
    // The system has dropped the lock with the process.
    const again = await machine.serve(["--roles", "coordinator"]);
    expect((await again.stop("SIGINT")).code).toBe(0);
  });
});

describe("the inspector", () => {
  it("is not opened by SIGUSR1: the process goes on, its port stays closed", async () => {
    expect(await listens(INSPECTOR_PORT)).toBe(false);
    const machine = sandbox();
    const served = await machine.serve(["--roles", "coordinator"]);
    served.process.signal("SIGUSR1");
    expect((await served.client().health()).status).toBe("ok");
    served.process.signal("SIGUSR1");
    expect((await served.client().health()).status).toBe("ok");
    expect(await listens(INSPECTOR_PORT)).toBe(false);
    const { code, stderr } = await served.stop();
    expect(code).toBe(0);
    expect(stderr).not.toContain("Debugger listening");
  });

  it.runIf(SINGLE_FILE)("is not opened by NODE_OPTIONS either", async () => {
    const machine = sandbox();
    const options = { env: { NODE_OPTIONS: "--inspect" } };
    const served = await machine.serve(["--roles", "coordinator"], options);
    expect(await listens(INSPECTOR_PORT)).toBe(false);
    expect((await served.stop()).stderr).not.toContain("Debugger listening");
  });
});

describe("a second daemon", () => {
  it("on the same data directory is refused, and told whose it is", async () => {
    const machine = sandbox();
    const served = await machine.serve(["--roles", "coordinator"]);
    const second = await machine.run(["serve", "--roles", "coordinator", "--port", "0"]);
    expect(second.code).toBe(EXIT.dataInUse);
    expect(second.stderr).toContain(`process ${served.process.pid} (aitbc serve)`);
    expect(second.stderr).toContain("DATA_IN_USE");
    expect((await served.client().health()).status).toBe("ok");
  });

  it("on the same port is refused with what to do, and leaves its own directory free", async () => {
    const machine = sandbox();
    const served = await machine.serve(["--roles", "coordinator"]);
    const { port } = new URL(served.url);
    const other = join(machine.home, "other");
    const args = ["serve", "--roles", "coordinator", "--data-dir", other, "--port"];
    const second = await machine.run([...args, port]);
    expect(second.code).toBe(EXIT.usage);
    expect(second.stderr).toContain(`127.0.0.1:${port} is in use; choose another with --port`);
    const third = await machine.serve(["--roles", "coordinator", "--data-dir", other]);
    expect((await third.stop()).code).toBe(0);
  });
});
