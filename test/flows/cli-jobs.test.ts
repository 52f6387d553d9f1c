import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Io } from "../../src/cli/io.ts";
import { runCli } from "../../src/cli/run.ts";
import { EXIT } from "../../src/kernel/errors.ts";
import { TestDaemon } from "../harness/daemon.ts";

let daemon: TestDaemon;
let directory: string;
beforeAll(async () => {
  daemon = await TestDaemon.start();
  directory = mkdtempSync(join(tmpdir(), "aitbc-cli-jobs-"));
});
afterAll(async () => {
  await daemon[Symbol.asyncDispose]();
  rmSync(directory, { recursive: true, force: true });
});

interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a command line against the daemon, as on its own machine. `onWrite` sees each text on a terminal. */
async function aitbc(
  args: readonly string[],
  onWrite?: (text: string, interrupt: () => void) => void,
): Promise<Ran> {
  const out = { stdout: "", stderr: "" };
  const listeners = new Set<() => void>();
  const output = (name: keyof typeof out): Io["stdout"] => ({
    isTTY: onWrite !== undefined,
    write(text) {
      out[name] += text;
      onWrite?.(text, () => {
        for (const listener of listeners) listener();
      });
      return true;
    },
    once: () => {},
  });
  const io: Io = {
    env: { HOME: directory, AITBC_URL: daemon.url, AITBC_DATA_DIR: daemon.dataDir, NO_COLOR: "1" },
    cwd: directory,
    // The commands here read no stdin.
    stdin: (async function* () {})(),
    stdout: output("stdout"),
    stderr: output("stderr"),
    uptimeMs: () => performance.now(),
    onSignal(_signal, listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    exit: (code) => {
      throw new Error(`exit ${code}`);
    },
  };
  const code = await runCli(args, io);
  return { code, ...out };
}

const jobCount = (): number => daemon.rowCounts()["coordinator_job"] ?? 0;

describe("aitbc client batch-submit", () => {
  it("submits a file once, however often it runs, also when its state is lost", async () => {
    const before = jobCount();
    writeFileSync(join(directory, "jobs.csv"), 'prompt,priority\n"one, with a comma",1\ntwo,2\nthree,\n');
    const first = await aitbc(["client", "batch-submit", "jobs.csv", "--output", "json"]);
    expect(first.code).toBe(0);
    expect(JSON.parse(first.stdout)).toMatchObject({ entries: 3, submitted: 3, skipped: 0, failed: 0 });
    expect(jobCount()).toBe(before + 3);
    const second = await aitbc(["client", "batch-submit", "jobs.csv", "--output", "json"]);
    expect(JSON.parse(second.stdout)).toMatchObject({ submitted: 0, skipped: 3 });
    // The answer of line 3 was lost on its way: the state lacks it, the daemon knows its key.
    const state = join(directory, "jobs.csv.state.jsonl");
    const kept = readFileSync(state, "utf8")
      .split("\n")
      .filter((line) => !line.includes('"line":3'));
    writeFileSync(state, kept.join("\n"));
    const third = await aitbc(["client", "batch-submit", "jobs.csv", "--output", "json"]);
    expect(JSON.parse(third.stdout)).toMatchObject({ submitted: 1, skipped: 2 });
    expect(jobCount()).toBe(before + 3);
  });

  it("reports what failed by its line, and exits with its class", async () => {
    writeFileSync(join(directory, "bad.jsonl"), '{"prompt":"good"}\n{"prompt":""}\nnonsense\n');
    const { code, stdout } = await aitbc(["client", "batch-submit", "bad.jsonl"]);
    expect(code).toBe(EXIT.usage);
    expect(stdout).toMatch(/^2 +\/payload\/prompt/m);
    expect(stdout).toMatch(/^3 +/m);
    expect(stdout).toContain("1 submitted, 0 submitted before, 2 failed");
  });

  it("draws a bar with a rate on a terminal", async () => {
    writeFileSync(join(directory, "bar.json"), JSON.stringify(["x", "y"]));
    const { stderr } = await aitbc(["client", "batch-submit", "bar.json", "--concurrency", "1"], () => {});
    expect(stderr).toMatch(/█.*1\/2 · \d+\/s · \d+ s left/);
  });

  it("stops when the daemon is not there", async () => {
    writeFileSync(join(directory, "gone.json"), JSON.stringify(new Array(50).fill("x")));
    const args = ["client", "batch-submit", "gone.json", "--url", "http://127.0.0.1:9", "--output", "json"];
    const { code, stdout } = await aitbc([...args, "--concurrency", "2", "--api-key", daemon.keys.client]);
    expect(code).toBe(EXIT.unreachable);
    expect(JSON.parse(stdout).failed).toBeLessThanOrEqual(2);
  });
});

describe("aitbc client", () => {
  it("history finds jobs by their text, page by page", async () => {
    const { stdout } = await aitbc(["client", "history", "--text", "comma", "--status", "queued"]);
    expect(stdout).toContain("1 of 1");
    const page = await aitbc(["client", "history", "--limit", "1"]);
    const [, cursor = ""] = /--cursor (\w+)/.exec(page.stdout) ?? [];
    const next = await aitbc(["client", "history", "--limit", "1", "--cursor", cursor]);
    expect(next.stdout).toContain("QUEUED");
    expect(next.stdout).not.toContain(cursor.slice(0, 32).concat(" "));
  });

  it("template keeps, shows, submits and deletes", async () => {
    const prompt = "Hello {{who}}";
    expect((await aitbc(["client", "template", "create", "greet", "--prompt", prompt])).code).toBe(0);
    expect((await aitbc(["client", "template", "list"])).stdout).toMatch(/greet +who/);
    expect((await aitbc(["client", "template", "submit", "greet"])).stderr).toContain("/variables/who");
    const { stdout } = await aitbc(["client", "template", "submit", "greet", "--var", "who=a=b"]);
    expect(stdout).toMatch(/^[0-9a-f]{32}\n$/);
    expect((await aitbc(["client", "history", "--text", "Hello a=b"])).stdout).toContain(stdout.trim());
    expect((await aitbc(["client", "template", "delete", "greet"])).code).toBe(0);
    expect((await aitbc(["client", "template", "show", "greet"])).code).toBe(EXIT.notFound);
  });

  it("explain says why a job waits, and JSON where scripts read it", async () => {
    const { items } = await daemon.client.listJobs({ limit: 1, status: "QUEUED" });
    const id = items[0]?.job_id ?? "";
    const { code, stdout } = await aitbc(["client", "explain", id]);
    expect([code, stdout]).toEqual([
      0,
      expect.stringMatching(/^It waits at position \d+ among jobs .*: no miner is online\.\nNobody can tell/),
    ]);
    const json = JSON.parse((await aitbc(["client", "explain", id, "--output", "json"])).stdout);
    expect(json).toMatchObject({ job_id: id, queue: { eta_p50_ms: null }, candidates: [], leases: [] });
    expect((await aitbc(["client", "explain", "0".repeat(32)])).code).toBe(EXIT.notFound);
  });

  it("receipts of a job without any prints nothing", async () => {
    const { items } = await daemon.client.listJobs({ limit: 1 });
    expect(await aitbc(["client", "receipts", items[0]?.job_id ?? ""])).toMatchObject({
      code: 0,
      stdout: "",
    });
  });
});

describe("aitbc admin and status", () => {
  it("show totals, jobs and miners", async () => {
    const stats = JSON.parse((await aitbc(["admin", "stats", "--output", "json"])).stdout);
    expect(stats).toMatchObject({ active_jobs: jobCount(), online_miners: 0 });
    expect((await aitbc(["admin", "jobs", "--text", "comma"])).stdout).toContain("1 of 1");
    expect((await aitbc(["admin", "miners"])).stdout).toMatch(/^MINER +NAME +STATUS/);
    expect((await aitbc(["admin", "drain", "nobody"])).code).toBe(EXIT.notFound);
  });

  it("status is plain text without a terminal, also when it watches", async () => {
    const { code, stdout } = await aitbc(["status", "--watch"]);
    expect([code, stdout.includes("\u001b")]).toEqual([0, false]);
    expect(stdout).toMatch(/^queue +\d+ waiting, 0 running$/m);
  });

  it("status --watch draws anew with rates until it is interrupted", async () => {
    let pictures = 0;
    const { code, stdout } = await aitbc(["status", "--watch"], (text, interrupt) => {
      if (text.startsWith("\u001b[H") && ++pictures === 2) interrupt();
    });
    expect([code, pictures]).toEqual([0, 2]);
    expect(stdout).toMatch(/^submitted +0\.0\/s$/m);
  });
});
