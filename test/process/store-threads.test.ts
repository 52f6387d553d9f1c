/** The store's threads of the built program: their code comes out of the single file. */
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { type Running, Sandbox } from "../harness/process.ts";

/** A prompt of the size that bodies may just have; so many of them make the store's log long. */
const LARGE = "x".repeat(900_000);
const LARGE_JOBS = 90;

/** Names of a process's threads, as the kernel cuts them. */
function threadsOf({ pid }: Running): string[] {
  const tasks = `/proc/${pid}/task`;
  return readdirSync(tasks).map((id) => readFileSync(join(tasks, id, "comm"), "utf8").trim());
}

describe("a daemon that writes much", () => {
  it("writes in a thread of its own, brings its log into the file in another, and keeps all of it", async () => {
    const machine = new Sandbox();
    onTestFinished(() => machine[Symbol.asyncDispose]());
    const env = { AITBC_DATABASE__WRITER_BUSY_MS: "0" };
    const served = await machine.serve(["--roles", "coordinator"], { env });
    const client = served.client();
    const submit = (prompt: string) =>
      client.submitJob({ payload: { type: "inference", model: "nobody-has-it", prompt } });
    await submit("first");
    await served.process.match(/writes have a thread of their own now/);
    expect(threadsOf(served.process)).toContain("aitbc-writer");
    for (let job = 0; job < LARGE_JOBS; job++) await submit(LARGE);
    // Asked for with a commit or soon after it.
    while (!threadsOf(served.process).includes("aitbc-checkpoin")) await submit("small");
    const { job_id } = await submit("last");
    const { code, stderr } = await served.stop();
    expect(code).toBe(0);
    expect(stderr).not.toContain("a thread of the store is missing");
    // Closed in order: the log is in the file, and gone.
    const files = readdirSync(machine.dataDir).filter((name) => name.startsWith("aitbc.db"));
    expect(files).toEqual(["aitbc.db"]);
    expect(statSync(join(machine.dataDir, "aitbc.db")).size).toBeGreaterThan(LARGE_JOBS * LARGE.length);
    const again = await machine.serve(["--roles", "coordinator"]);
    expect(await again.client().getJob(job_id)).toMatchObject({ state: "QUEUED" });
  });
});
