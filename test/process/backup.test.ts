import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { EXIT } from "../../src/kernel/errors.ts";
import { readStream } from "../harness/events.ts";
import { job } from "../harness/jobs.ts";
import { Sandbox } from "../harness/process.ts";

/** Jobs before and while the backup is made: enough that some of them run, wait and end meanwhile. */
const JOBS = 20;

describe("backup and restore", () => {
  it("a copy that is made while jobs run brings every job back that was acknowledged before it", async () => {
    const machine = new Sandbox();
    onTestFinished(() => machine[Symbol.asyncDispose]());
    const first = await machine.serve();
    const client = first.client();
    const submit = () => client.submitJob(job("Tell me a story about a fox"));
    const [ended] = [await submit()];
    const answer = await readStream(client, ended.job_id);
    const early = await Promise.all(Array.from({ length: JOBS }, submit));
    const file = join(machine.home, "monday.db");
    const [backup] = await Promise.all([
      machine.run(["--output", "json", "backup", file]),
      ...Array.from({ length: JOBS }, submit),
    ]);
    expect(backup).toMatchObject({ code: 0 });
    expect(JSON.parse(backup.stdout)).toMatchObject({ file, size_bytes: expect.any(Number) });

    const again = await machine.run(["backup", file]);
    expect([again.code, again.stderr]).toEqual([expect.any(Number), expect.stringContaining("--overwrite")]);
    expect(again.code).not.toBe(0);
    expect(await machine.run(["restore", file])).toMatchObject({ code: EXIT.dataInUse });
    await first.stop();

    const lost = await machine.run(["restore", file]);
    expect(lost).toMatchObject({ code: 0 });
    const second = await machine.serve();
    const restored = second.client();
    expect((await readStream(restored, ended.job_id)).text).toBe(answer.text);
    for (const { job_id } of early) {
      const { end } = await readStream(restored, job_id);
      expect(end?.state).toBe("COMPLETED");
    }
    expect((await second.stop()).code).toBe(0);
  });

  it("what is no backup is refused, and the database stays as it is", async () => {
    const machine = new Sandbox();
    onTestFinished(() => machine[Symbol.asyncDispose]());
    const served = await machine.serve(["--roles", "coordinator"]);
    const { job_id } = await served.client().submitJob(job("stay"));
    await served.stop();
    const database = join(machine.dataDir, "aitbc.db");
    const before = readFileSync(database);
    const junk = join(machine.home, "junk.db");
    writeFileSync(junk, "not a database");
    expect((await machine.run(["restore", junk])).code).toBe(EXIT.storage);
    expect((await machine.run(["restore", join(machine.home, "missing.db")])).code).not.toBe(0);
    expect(existsSync(database) && readFileSync(database).equals(before)).toBe(true);
    const again = await machine.serve(["--roles", "coordinator"]);
    expect((await again.client().getJob(job_id)).state).toBe("QUEUED");
  });
});
