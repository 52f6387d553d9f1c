import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { TestDaemon } from "../../test/harness/daemon.ts";
import { readStream } from "../../test/harness/events.ts";
import { job } from "../../test/harness/jobs.ts";
import { loadConfig } from "../config/load.ts";
import type { Config } from "../config/schema.ts";
import { createLog } from "../kernel/log.ts";
import { compareConfigs, createReload } from "./reload.ts";

function read(settings: Readonly<Record<string, string>> = {}): Config {
  const flags = Object.entries(settings).map(([key, text]) => ({ key, text, flag: "test" }));
  return loadConfig({ env: { HOME: "/home/test" }, cwd: "/", flags, file: null }).config;
}

describe("a configuration read anew", () => {
  it("differs in what takes effect at once and in what needs a restart", () => {
    expect(compareConfigs(read(), read())).toEqual({ live: [], restart: [] });
    const changed = read({ "miner.slots": "7", "miner.price": "0.5", "log.level": "debug", roles: "miner" });
    expect(compareConfigs(read(), changed)).toEqual({
      live: ["miner.price", "miner.slots"],
      restart: ["roles", "log.level"],
    });
  });

  it("is compared with what runs: a change is applied once, and what needs a restart is told until then", () => {
    const applied: unknown[] = [];
    const log = createLog({ level: "silent", format: "json", terminal: false });
    const reload = createReload(read(), log, (terms) => applied.push(terms));
    const next = read({ "miner.slots": "7", "http.port": "7777" });
    reload(next);
    reload(next);
    reload(read());
    expect(applied).toEqual([
      { slots: 7, price: null },
      { slots: 2, price: null },
    ]);
  });
});

describe("a running miner", () => {
  let daemon: TestDaemon;
  beforeEach(async () => {
    daemon = await TestDaemon.start({ settings: { roles: "coordinator,miner", "miner.engine": "builtin" } });
  });
  afterEach(() => daemon[Symbol.asyncDispose]());

  it("takes no job below its new price, and takes it when the price is gone", async () => {
    const { client } = daemon;
    await readStream(client, (await client.submitJob(job("What is 1 + 1?"))).job_id);
    daemon.daemon.reload(read({ "miner.price": "1000", "miner.slots": "2" }));
    const { job_id } = await client.submitJob(job("What is 37 + 45?"));
    await expect
      .poll(async () => (await client.getJob(job_id)).queue?.reason)
      .toBe("1 miner online, none fits: asks more than the job's highest price");
    daemon.daemon.reload(read());
    expect((await readStream(client, job_id)).text).toBe("37 + 45 = 82.");
  });

  it("runs more jobs at once with more slots, on the engine too", async () => {
    const { client } = daemon;
    daemon.daemon.reload(read({ "miner.slots": "6" }));
    const sums = [11, 22, 33, 44, 55, 66].map(async (number) => {
      // The likeliest answer, which is the right one: another temperature may err.
      const payload = { type: "inference", prompt: `What is ${number} + 5?`, temperature: 0 } as const;
      const { job_id } = await client.submitJob({ payload });
      return (await readStream(client, job_id)).text;
    });
    const expected = [16, 27, 38, 49, 60, 71].map((sum, index) => `${(index + 1) * 11} + 5 = ${sum}.`);
    expect(await Promise.all(sums)).toEqual(expected);
  });
});
