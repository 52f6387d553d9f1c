/** Commands of the built program, in a second terminal beside one daemon. `coverage.test.ts` finds the others. */
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { EXIT } from "../../src/kernel/errors.ts";
import { readStream } from "../harness/events.ts";
import { OllamaServer } from "../harness/ollama-server.ts";
import { Sandbox, type Served } from "../harness/process.ts";
import { type CommandName, terminalOf } from "../harness/process-calls.ts";

/** Greedy, so that the same model writes the same. */
const QUESTION = { payload: { type: "inference" as const, prompt: "What is 37 + 45?", temperature: 0 } };
const ANSWER = "37 + 45 = 82.";
/** No miner has it: jobs that ask for it wait. */
const NOBODYS = "nobody-has-it";

let machine: Sandbox;
let served: Served;
let run: ReturnType<typeof terminalOf>;
beforeAll(async () => {
  machine = new Sandbox();
  served = await machine.serve();
  run = terminalOf(machine, served);
});
afterAll(() => machine[Symbol.asyncDispose]());

/** What a command that must succeed prints for scripts. */
async function json<T = Record<string, unknown>>(command: CommandName, ...args: string[]): Promise<T> {
  const { code, stdout, stderr } = await run(command, ...args, "--output", "json");
  expect([code, stderr]).toEqual([0, expect.any(String)]);
  return JSON.parse(stdout) as T;
}

/** What a command that must succeed prints for people. */
async function text(command: CommandName, ...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await run(command, ...args);
  expect([code, stderr]).toEqual([0, expect.any(String)]);
  return stdout;
}

/** A job that waits for ever. */
async function waiting(): Promise<string> {
  const payload = { type: "inference" as const, prompt: "wait", model: NOBODYS };
  return (await served.client().submitJob({ payload })).job_id;
}

/** A job that has been answered. */
async function answered(): Promise<string> {
  const client = served.client();
  const { job_id } = await client.submitJob(QUESTION);
  expect((await readStream(client, job_id)).text).toBe(ANSWER);
  return job_id;
}

describe("client", () => {
  it("history and receipts tell of a job", async () => {
    const job = await answered();
    const page = await json<{ items: object[] }>("aitbc client history", "--limit", "1", "--text", "37");
    expect(page).toMatchObject({ items: [{ job_id: job }], next_cursor: null });
    const lines = (await text("aitbc client receipts", job)).trim().split("\n");
    const receipt = await served.client().getReceipt(job);
    expect(lines.map((line) => JSON.parse(line) as unknown)).toEqual([receipt]);
  });

  it("explain says why a job went to its miner, and why another waits", async () => {
    expect(await text("aitbc client explain", await answered())).toMatch(
      /^Lease 1 went to .*only one that could/s,
    );
    expect(await text("aitbc client explain", await waiting())).toContain(`no model ${NOBODYS}`);
  });

  it("template: create, list, show, submit, delete", async () => {
    const prompt = "What is {{a}} + 45?";
    expect(await json("aitbc client template create", "sum", "--prompt", prompt)).toMatchObject({
      variables: ["a"],
    });
    expect(await text("aitbc client template list")).toContain("sum");
    expect(await json("aitbc client template show", "sum")).toMatchObject({ name: "sum" });
    const job = (await text("aitbc client template submit", "sum", "--var", "a=37")).trim();
    // A template of the command line leaves the model its temperature.
    expect((await readStream(served.client(), job)).text).toMatch(/^37 \+ 45 = /);
    expect(await text("aitbc client template delete", "sum")).toContain("deleted sum");
    expect(await served.client().listTemplates()).toEqual([]);
  });

  it("artifact: put, list, get, delete", async () => {
    const file = join(machine.home, "letter.txt");
    writeFileSync(file, "Dear all,");
    const name = (await text("aitbc client artifact put", file, "--type", "text/plain")).trim();
    expect(name).toMatch(/^sha256:[0-9a-f]{64}$/);
    expect(await json("aitbc client artifact list")).toMatchObject([{ artifact: name }]);
    const copy = join(machine.home, "copy.txt");
    await text("aitbc client artifact get", name, "--file", copy);
    expect(readFileSync(copy, "utf8")).toBe("Dear all,");
    await text("aitbc client artifact delete", name);
    expect((await run("aitbc client artifact get", name)).code).toBe(EXIT.notFound);
  });

  it("batch-submit takes CSV and JSON lines; killed in the middle it goes on, and no job is made twice", async () => {
    const csv = join(machine.home, "few.csv");
    writeFileSync(csv, `prompt,model\n"one, two",${NOBODYS}\nthree,${NOBODYS}\n`);
    expect(await json("aitbc client batch-submit", csv)).toMatchObject({
      entries: 2,
      submitted: 2,
      failed: 0,
    });
    const file = join(machine.home, "many.jsonl");
    const entries = Array.from({ length: 400 }, (_, n) =>
      JSON.stringify({ prompt: `batch ${n}`, model: NOBODYS }),
    );
    writeFileSync(file, entries.join("\n"));
    const killed = machine.spawn(["client", "batch-submit", file, "--concurrency", "1"], {
      env: { AITBC_URL: served.url },
    });
    const state = `${file}.state.jsonl`;
    const kept = () => (existsSync(state) ? readFileSync(state, "utf8").split("\n").length : 0);
    await expect.poll(kept, { interval: 1 }).toBeGreaterThan(5);
    killed.signal("SIGKILL");
    expect((await killed.ended).signal).toBe("SIGKILL");
    // What a crash in the middle of a write leaves: the entry is asked for again under its own key.
    const cut = readFileSync(state, "utf8");
    expect(cut.split("\n").length).toBeLessThan(entries.length);
    writeFileSync(state, cut.slice(0, -20));
    const report = await json<{ submitted: number; skipped: number }>("aitbc client batch-submit", file);
    expect(report).toMatchObject({ entries: entries.length, failed: 0, state_file: state });
    expect(report.skipped).toBeGreaterThan(0);
    expect(report.submitted + report.skipped).toBe(entries.length);
    const made = await served.client().listJobs({ model: NOBODYS, text: "batch", limit: 1 });
    expect(made.total).toBe(entries.length);
  });
});

describe("admin", () => {
  it("stats, jobs, miners and drain; a client's key is refused", async () => {
    const job = await waiting();
    expect(await json("aitbc admin stats")).toMatchObject({
      online_miners: 1,
      total_jobs: expect.any(Number),
    });
    const page = await json<{ items: object[] }>("aitbc admin jobs", "--status", "queued", "--limit", "1");
    expect(page.items).toMatchObject([{ job_id: job, client_id: expect.any(String) }]);
    const { items } = await json<{ items: { miner_id: string }[] }>("aitbc admin miners");
    const [{ miner_id } = { miner_id: "" }] = items;
    expect(await json("aitbc admin drain", miner_id)).toMatchObject({ active: false });
    expect(await json("aitbc admin drain", miner_id, "--undo")).toMatchObject({ active: true });
    const env = { AITBC_URL: served.url, AITBC_API_KEY: machine.key("client") };
    expect((await machine.run(["admin", "stats"], { env })).code).toBe(EXIT.denied);
  });
});

describe("miner", () => {
  it("status and drain of the miner on this machine, without naming it", async () => {
    const told = await text("aitbc miner status");
    expect(told).toMatch(/state +online/);
    expect(told).toMatch(/engines +builtin/);
    expect(told).toMatch(/aitbc-tiny +builtin +\d+/);
    const drained = await text("aitbc miner drain");
    expect(drained).toMatch(/gets no new jobs; none runs\n.*aitbc miner drain --undo/);
    const client = served.client();
    const { job_id } = await client.submitJob(QUESTION);
    const view = await json("aitbc miner status");
    expect(view).toMatchObject({ status: "DRAINING", coordinator_url: served.url, jobs: [] });
    expect((await client.getJob(job_id)).queue?.reason).toContain("its owner keeps it from new jobs");
    expect(await text("aitbc miner drain", "--undo")).toContain("is online");
    expect((await readStream(client, job_id)).text).toBe(ANSWER);
  });

  it("jobs and earnings likewise, of a miner inside the daemon as well", async () => {
    const job_id = await answered();
    expect(await json("aitbc miner jobs", "--limit", "1")).toMatchObject({ jobs: [{ job_id }] });
    expect(await json("aitbc miner earnings")).toMatchObject({ completed_jobs: expect.any(Number) });
  });

  it("bench measures this machine's models", async () => {
    const engine = ["--engine", "builtin", "--tokens", "4"];
    const [measured] = await json<object[]>("aitbc miner bench", ...engine);
    expect(measured).toMatchObject({ engine: "builtin", model: "aitbc-tiny", tokens: 4, error: null });
  });

  it("pull lets Ollama fetch a model", async () => {
    const ollama = await OllamaServer.start();
    onTestFinished(() => ollama.stop());
    const url = ["--ollama-url", ollama.url];
    expect(await json("aitbc miner pull", "qwen3:1.7b", ...url)).toMatchObject({ pulled: true });
  });
});

describe("status", () => {
  it("tells once", async () => {
    expect(await text("aitbc status")).toMatch(/miners +1 online of 1/);
  });

  it("--watch draws it anew on a terminal, with rates, until Ctrl-C", async () => {
    const env = { AITBC_URL: served.url };
    const terminal = machine.spawnOnTerminal(["status", "--watch"], { env });
    // The second picture has something to compare with.
    await terminal.matchOutput(/finished +\d/);
    expect(terminal.stdout).toContain("Ctrl-C ends this");
    terminal.child.stdin?.write("\u0003");
    expect((await terminal.ended).code).toBe(0);
  });
});

describe("the machine", () => {
  it("completion for three shells, of commands as they are; bash takes its script", async () => {
    for (const shell of ["bash", "zsh", "fish"]) {
      const script = await text("aitbc completion", shell);
      expect(script).toMatch(/batch-submit/);
      expect(script).toMatch(/earnings/);
      if (shell === "bash") execFileSync("bash", ["-n"], { input: script });
    }
  });

  it("self install and uninstall --dry-run change nothing; systemd accepts the unit where it is installed", async () => {
    const plan = await json<{ dry_run: boolean; unit: string }>("aitbc self install", "--dry-run");
    expect(plan.dry_run).toBe(true);
    const file = join(machine.home, "aitbc.service");
    // The command must exist: /usr/bin/env stands in for the file that is not installed.
    writeFileSync(file, plan.unit.replace(/^ExecStart=\S+/m, "ExecStart=/usr/bin/env"));
    const { error, status, stderr } = spawnSync("systemd-analyze", ["verify", file], { encoding: "utf8" });
    expect(error === undefined || "code" in error).toBe(true);
    if (error === undefined) expect([status, stderr]).toEqual([0, ""]);
    expect(await json("aitbc self uninstall", "--dry-run")).toMatchObject({ dry_run: true });
  });

  it("config explain, validate and path", async () => {
    const settings = await json<{ key: string; origin: string }[]>("aitbc config explain");
    expect(settings).toContainEqual(expect.objectContaining({ key: "client.url", origin: "AITBC_URL" }));
    expect(JSON.stringify(settings)).not.toContain(machine.key("client"));
    expect(await json("aitbc config validate")).toEqual({
      valid: true,
      file: expect.any(String),
      found: false,
    });
    const { path } = await json<{ path: string }>("aitbc config path");
    expect(path).toBe(join(machine.home, ".config/aitbc/config.json"));
    const wrong = join(machine.home, "wrong.json");
    writeFileSync(wrong, '{"htttp":{}}');
    const refused = await run("aitbc config validate", "--config-file", wrong);
    expect([refused.code, refused.stderr]).toEqual([EXIT.usage, expect.stringContaining("htttp")]);
  });
});
