import { createHook } from "node:async_hooks";
import { readdirSync, readlinkSync } from "node:fs";
import { setImmediate as turn } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { TestDaemon } from "../harness/daemon.ts";
import { readStream, readUntil } from "../harness/events.ts";
import { job } from "../harness/jobs.ts";
import { PlainCaller } from "../harness/plain-caller.ts";
import { PlainSocket } from "../harness/plain-socket.ts";
import { childrenOf } from "../harness/process-table.ts";
import { ScriptedMiner } from "../harness/scripted-miner.ts";

/** Turns of the event loop in which closing handles may still be seen. */
const MAX_TURNS = 1000;

/** What keeps this process alive, counted by kind. */
function resources(): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const kind of process.getActiveResourcesInfo()) counts[kind] = (counts[kind] ?? 0) + 1;
  return counts;
}

/** Kinds of which there are more than before. */
function grown(before: Record<string, number>): string[] {
  // Work on the thread pool ends by itself, and the turns of this loop are immediates.
  const passing = new Set(["FSReqPromise", "Immediate", "FSReqCallback"]);
  return Object.entries(resources())
    .filter(([kind, count]) => !passing.has(kind) && count > (before[kind] ?? 0))
    .map(([kind, count]) => `${kind}: ${count}`);
}

/** Timers that this program's own code has set and not cleared, by where it did: also those that hold nothing open. */
class OwnTimers implements Disposable {
  readonly #open = new Map<number, string>();
  readonly #hook = createHook({
    init: (id, type) => {
      if (type !== "Timeout") return;
      const where = new Error().stack?.split("\n").find((line) => line.includes("/src/"));
      if (where) this.#open.set(id, where.trim());
    },
    destroy: (id) => this.#open.delete(id),
  }).enable();

  get open(): string[] {
    return [...this.#open.values()];
  }

  [Symbol.dispose](): void {
    this.#hook.disable();
  }
}

/** Open files of this process below a directory. */
function openFiles(directory: string): string[] {
  return readdirSync("/proc/self/fd").flatMap((fd) => {
    try {
      const path = readlinkSync(`/proc/self/fd/${fd}`);
      return path.startsWith(directory) ? [path] : [];
    } catch {
      // Closed between listing and reading.
      return [];
    }
  });
}

describe("a daemon that has stopped", () => {
  it("leaves no timer, socket, file or process behind, whatever was going on", async () => {
    const before = resources();
    using timers = new OwnTimers();
    const processes = childrenOf("self").length;
    const daemon = await TestDaemon.start({ settings: { roles: "coordinator,miner" } });
    const { client, dataDir } = daemon;
    try {
      await readStream(client, (await client.submitJob(job("Hello"))).job_id);
      expect(childrenOf("self").length).toBeGreaterThan(processes);
      expect(openFiles(dataDir).length).toBeGreaterThan(0);
      // In the middle of everything: a job that runs, one that waits, readers, a miner that says nothing.
      const special = await client.submitJob({
        payload: { type: "inference", prompt: "x", model: "test-model" },
      });
      const miner = await ScriptedMiner.join(daemon);
      await (await miner.take()).deliver("some");
      const queued = await client.submitJob({
        payload: { type: "inference", prompt: "x", model: "nobody-has-it" },
      });
      await readUntil(client, special.job_id, (event) => event.event === "chunk");
      expect(timers.open.length).toBeGreaterThan(0);
      const reading = readStream(client, queued.job_id, { reconnectMs: 0 }).catch(() => undefined);
      await readUntil(client, queued.job_id, (event) => event.event === "state");
      await daemon.daemon.stop();
      await miner.ended();
      await reading;
      for (let turns = 0; turns < MAX_TURNS && grown(before).length + timers.open.length > 0; turns++)
        await turn();
      expect(grown(before)).toEqual([]);
      expect(timers.open).toEqual([]);
      expect(openFiles(dataDir)).toEqual([]);
      expect(childrenOf("self")).toHaveLength(processes);
      expect(readdirSync(dataDir).filter((name) => /lock\.json|-wal$|-shm$/.test(name))).toEqual([]);
    } finally {
      await daemon[Symbol.asyncDispose]();
    }
  });

  it("leaves nothing behind of polls and plain sockets, whether they ended before or with it", async () => {
    const before = resources();
    using timers = new OwnTimers();
    const daemon = await TestDaemon.start({ settings: { "coordinator.allow_keyless_miners": "true" } });
    try {
      const { job_id: jobId } = await daemon.client.submitJob(job("a"));
      const miner = PlainCaller.miner(daemon, "one");
      const body = { capabilities: { models: ["nobody-asks-for-it"] }, region: "elsewhere", concurrency: 4 };
      await miner.post("/v1/miners/register", body);
      const left = new AbortController();
      const polls = [left.signal, undefined].map((signal) =>
        miner.call("POST", "/v1/miners/poll", { max_wait_seconds: 25 }, signal).catch(() => undefined),
      );
      left.abort();
      const headers = { "X-Api-Key": daemon.keys.client };
      const path = `${daemon.url}/v1/ws/client?job_id=${jobId}`;
      const [gone, staying] = [await PlainSocket.open(path, headers), await PlainSocket.open(path, headers)];
      const own = { "X-Api-Key": daemon.keys.miner, "X-Miner-ID": "one" };
      const socket = await PlainSocket.open(`${daemon.url}/v1/ws/miner`, own);
      await staying.next();
      gone.close();
      await gone.ended();
      expect(timers.open.length).toBeGreaterThan(0);
      await daemon.daemon.stop();
      await Promise.all([...polls, staying.ended(), socket.ended()]);
      for (let turns = 0; turns < MAX_TURNS && grown(before).length + timers.open.length > 0; turns++)
        await turn();
      expect(grown(before)).toEqual([]);
      expect(timers.open).toEqual([]);
    } finally {
      await daemon[Symbol.asyncDispose]();
    }
  });

  it("can be stopped twice, and its directory used again at once", async () => {
    const first = await TestDaemon.start();
    const { job_id } = await first.client.submitJob(job("a"));
    await Promise.all([first.daemon.stop(), first.daemon.stop()]);
    const second = await TestDaemon.start({ dataDir: first.dataDir });
    expect((await second.client.getJob(job_id)).state).toBe("QUEUED");
    await second[Symbol.asyncDispose]();
    await first[Symbol.asyncDispose]();
  });
});
