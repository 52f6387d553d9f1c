/** Files and batches of the built program: their routes, their commands, and a daemon that is killed in the middle. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { AppError, EXIT } from "../../src/kernel/errors.ts";
import { Sandbox, type Served } from "../harness/process.ts";
import { Api, terminalOf } from "../harness/process-calls.ts";

const MODEL = "aitbc-tiny";
const CHATS = "/v1/chat/completions";

/** Lines of a batch: sums that the built-in model can do. */
const linesOf = (count: number): string =>
  Array.from({ length: count }, (_, index) => {
    const messages = [{ role: "user", content: `What is ${index} + 45?` }];
    const body = { model: MODEL, messages, temperature: 0 };
    return `${JSON.stringify({ custom_id: `sum-${index}`, method: "POST", url: CHATS, body })}\n`;
  }).join("");

interface Batch {
  readonly id: string;
  readonly status: string;
  readonly output_file_id: string | null;
  readonly request_counts: { readonly total: number; readonly completed: number; readonly failed: number };
}

let machine: Sandbox;
let served: Served;
let api: Api;
let run: ReturnType<typeof terminalOf>;
beforeAll(async () => {
  machine = new Sandbox();
  served = await machine.serve();
  api = new Api(served, machine);
  run = terminalOf(machine, served);
});
afterAll(() => machine[Symbol.asyncDispose]());

const form = (content: string): { body: Uint8Array; headers: Record<string, string> } => {
  const part = (head: string, value: string) =>
    `--b\r\nContent-Disposition: form-data; ${head}\r\n\r\n${value}\r\n`;
  const text = `${part('name="purpose"', "batch")}${part('name="file"; filename="in.jsonl"', content)}--b--\r\n`;
  return { body: Buffer.from(text), headers: { "Content-Type": "multipart/form-data; boundary=b" } };
};

describe("the routes of files and batches", () => {
  it("take a file, run it, and give the answers", async () => {
    const uploaded = await api.call("POST /v1/files", form(linesOf(2)));
    expect(uploaded).toMatchObject({ status: 200, body: { object: "file", filename: "in.jsonl" } });
    const path = { file_id: String(uploaded.body["id"]) };
    expect((await api.call("GET /v1/files/{file_id}", { path })).body).toEqual(uploaded.body);
    expect((await api.call("GET /v1/files/{file_id}/content", { path })).text).toBe(linesOf(2));
    const listed = await api.call("GET /v1/files", { query: "?purpose=batch&limit=1" });
    expect(listed.body).toMatchObject({ data: [{ id: path.file_id }], has_more: false });
    const body = { input_file_id: path.file_id, endpoint: CHATS, completion_window: "24h" };
    const made = await api.call("POST /v1/batches", { body });
    expect(made).toMatchObject({ status: 200, body: { object: "batch", status: "validating" } });
    const batch_id = String(made.body["id"]);
    const get = async () =>
      (await api.call("GET /v1/batches/{batch_id}", { path: { batch_id } })).body as unknown as Batch;
    await expect.poll(async () => (await get()).status, { timeout: 20_000 }).toBe("completed");
    const batch = await get();
    expect((await api.call("GET /v1/batches", { query: "?limit=1" })).body["data"]).toEqual([batch]);
    const output = { file_id: String(batch.output_file_id) };
    const { text } = await api.call("GET /v1/files/{file_id}/content", { path: output });
    expect(text.trimEnd().split("\n")).toHaveLength(2);
    const late = await api.call("POST /v1/batches/{batch_id}/cancel", { path: { batch_id } });
    expect([late.status, late.body]).toMatchObject([409, { error: { code: "conflict_state" } }]);
    expect((await api.call("DELETE /v1/files/{file_id}", { path })).body["deleted"]).toBe(true);
    const gone = await api.call("GET /v1/files/{file_id}", { path });
    expect([gone.status, gone.body]).toMatchObject([404, { error: { code: "file_not_found" } }]);
    expect((await api.call("POST /v1/files", { ...form("{}"), as: "miner" })).status).toBe(403);
  });
});

describe("client batch", () => {
  it("submits, waits, lists and prints", async () => {
    const input = join(machine.home, "sums.jsonl");
    writeFileSync(input, linesOf(3));
    const submitted = await run("aitbc client batch submit", input, "--wait", "--output", "json");
    expect([submitted.code, submitted.stderr]).toEqual([0, expect.stringMatching(/^batch_[0-9a-f]{32}\n$/)]);
    const batch = JSON.parse(submitted.stdout) as Batch;
    expect(batch).toMatchObject({ status: "completed", request_counts: { total: 3, completed: 3 } });
    expect((await run("aitbc client batch list")).stdout).toContain(batch.id);
    expect((await run("aitbc client batch status", batch.id)).stdout).toContain("3 of 3 answered");
    const printed = (await run("aitbc client batch results", batch.id)).stdout;
    expect(printed.trimEnd().split("\n")).toHaveLength(3);
    const file = join(machine.home, "answers.jsonl");
    await run("aitbc client batch results", batch.id, "-o", file);
    expect(readFileSync(file, "utf8")).toBe(printed);
    expect((await run("aitbc client batch results", batch.id, "--errors")).code).toBe(EXIT.notFound);
  }, 60_000);

  it("tells what is wrong by its line", async () => {
    const input = join(machine.home, "wrong.jsonl");
    writeFileSync(input, `${linesOf(1)}{"custom_id": 7}\n`);
    const wrong = await run("aitbc client batch submit", input, "--endpoint", CHATS, "--wait");
    expect([wrong.code, wrong.stdout]).toEqual([EXIT.jobFailed, expect.stringMatching(/^2 +.*custom_id/m)]);
  });

  it("shows how far it is, and leaves it running on Ctrl-C; cancels, and tells so whoever waits", async () => {
    const input = join(machine.home, "long.jsonl");
    writeFileSync(input, linesOf(400));
    const id = (await run("aitbc client batch submit", input)).stdout.trim();
    expect((await run("aitbc client batch results", id)).code).toBe(EXIT.conflict);
    const wait = ["client", "batch", "status", id, "--wait"];
    const shown = machine.spawnOnTerminal(wait, { env: { AITBC_URL: served.url } });
    await shown.matchOutput(/[█░]{24} \d+\/400 · /);
    shown.child.stdin?.write("\u0003");
    const left = await shown.ended;
    expect([left.code, left.stdout]).toEqual([
      new AppError("INTERRUPTED", "").definition.exit,
      expect.stringContaining(`aitbc client batch status ${id} --wait`),
    ]);
    const waiting = machine.spawn(wait, { env: { AITBC_URL: served.url } });
    expect((await run("aitbc client batch cancel", id)).stdout).toMatch(/^status +cancel/m);
    expect((await waiting.ended).code).toBe(EXIT.jobFailed);
  });
});

describe("a daemon that is killed in the middle of a batch", () => {
  it("goes on where it was: each line is answered once, and who waits goes on waiting", async () => {
    const COUNT = 100;
    const input = join(machine.home, "killed.jsonl");
    writeFileSync(input, linesOf(COUNT));
    const id = (await run("aitbc client batch submit", input)).stdout.trim();
    const done = async () => (await served.client().batches.get(id)).request_counts.completed;
    await expect.poll(done, { interval: 5, timeout: 20_000 }).toBeGreaterThan(3);
    const asked = await countAsked();
    const waiting = machine.spawn(["client", "batch", "status", id, "--wait", "--output", "json"], {
      env: { AITBC_URL: served.url },
    });
    await expect.poll(countAsked, { interval: 5, timeout: 20_000 }).toBeGreaterThan(asked);
    served.process.signal("SIGKILL");
    expect((await served.process.ended).signal).toBe("SIGKILL");
    const env = { AITBC_COORDINATOR__LEASE_SECONDS: "12" };
    served = await machine.serve(["--port", new URL(served.url).port], { env });
    const ended = await waiting.ended;
    expect([ended.code, ended.stderr]).toEqual([0, expect.any(String)]);
    const batch = JSON.parse(ended.stdout) as Batch;
    expect(batch).toMatchObject({ status: "completed", request_counts: { total: COUNT, completed: COUNT } });
    const client = served.client();
    const output = await new Response(
      await client.batches.openFile(String(batch.output_file_id), new AbortController().signal),
    ).text();
    const lines = output
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line) as { custom_id: string; response: { request_id: string } });
    expect(lines.map(({ custom_id }) => custom_id)).toEqual(
      Array.from({ length: COUNT }, (_, index) => `sum-${index}`),
    );
    // As many jobs as lines, and each has run to its end once.
    expect(new Set(lines.map(({ response }) => response.request_id)).size).toBe(COUNT);
    const { total } = await client.listJobs({
      from: new Date(0).toISOString(),
      status: "COMPLETED",
      limit: 1,
    });
    expect(total).toBe(await countAnswered(client));
  });
});

/** How often the daemon was asked for a batch. */
async function countAsked(): Promise<number> {
  const { text } = await api.call("GET /metrics", { as: "nobody" });
  const name = /^aitbc_http_request_seconds_count\{route="\/v1\/batches\/:batch_id"\} (\d+)$/m;
  return Number(name.exec(text)?.[1] ?? 0);
}

/** Answers of all batches that have ended. */
async function countAnswered(client: ReturnType<Served["client"]>): Promise<number> {
  const { data } = await client.batches.list({ limit: 100 });
  return data.reduce((sum, { request_counts }) => sum + request_counts.completed, 0);
}
