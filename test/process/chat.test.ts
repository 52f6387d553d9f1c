/** Talking with a model at a terminal and in pipes, through broken connections, killed daemons and closed terminals. */
import { readdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished } from "vitest";
import { EXIT } from "../../src/kernel/errors.ts";
import { CutProxy } from "../harness/cut-proxy.ts";
import { OllamaServer } from "../harness/ollama-server.ts";
import { type Running, Sandbox, type Served } from "../harness/process.ts";

const MODEL = "talker:1b";
const STORY = ["Once", " upon", " a", " time."];
const CTRL_C = "\u0003";
const CTRL_D = "\u0004";
const ENTER = "\r";
/** Exit code of a program that SIGINT ended (POSIX sh: 128 + 2). */
const INTERRUPTED = 130;
/** Owner alone reads and writes. */
const PRIVATE = 0o600;

let ollama: OllamaServer;
let machine: Sandbox;
let served: Served;
/** Lets an answer go on that waits behind its first piece. */
let release: () => void;
beforeAll(async () => {
  ollama = await OllamaServer.start();
  ollama.models = [{ name: MODEL, digest: "a".repeat(64), context: 4096 }];
  machine = new Sandbox();
  served = await machine.serve([], { env: ollamaEnv() });
});
afterAll(async () => {
  await machine[Symbol.asyncDispose]();
  await ollama.stop();
});
beforeEach(() => {
  ollama.hold = undefined;
  ollama.answer = STORY;
});

const ollamaEnv = () => ({ AITBC_MINER__ENGINE: "ollama", AITBC_MINER__ENGINES__OLLAMA__URL: ollama.url });

/** Answers stop behind their first piece until `release`. */
function holdAnswers(): void {
  const hold = Promise.withResolvers<void>();
  ollama.hold = hold.promise;
  release = hold.resolve;
}

/** A chat on a terminal of its own. What is typed is waited for by what it makes appear. */
class Terminal {
  readonly running: Running;
  #seen = 0;

  constructor(...args: readonly string[]) {
    this.running = machine.spawnOnTerminal(["client", "chat", ...args], { env: { AITBC_URL: served.url } });
  }

  type(text: string): void {
    this.running.child.stdin?.write(text);
  }

  /** Waits until patterns stand in what is new since the last call, one behind the other. */
  async shows(...patterns: readonly RegExp[]): Promise<void> {
    for (const { source } of patterns) {
      const [whole] = await this.running.matchOutput(new RegExp(`^[^]{${this.#seen}}[^]*?(?:${source})`));
      this.#seen = whole.length;
    }
  }
}

const lastJob = async () => (await served.client().listJobs({ limit: 1 })).items[0];
const asked = () => ollama.last("/api/chat")["messages"];

describe("chat at a terminal", () => {
  it("streams; Ctrl-C stops the answer, its job and its engine, and not the program; the talk goes on", async () => {
    const terminal = new Terminal("--session", "fox", "--system", "Be brief.");
    await terminal.shows(/>>> /);
    holdAnswers();
    terminal.type(`A story${ENTER}`);
    await terminal.shows(/Once/);
    expect(await lastJob()).toMatchObject({ state: "RUNNING" });
    terminal.type(CTRL_C);
    await ollama.closed;
    await terminal.shows(/stopped · .*receipt \S+ verified/, />>> /);
    expect(await lastJob()).toMatchObject({ state: "CANCELED" });

    ollama.hold = undefined;
    terminal.type(`/retry${ENTER}`);
    await terminal.shows(/Once upon a time\.\r\n.*4 tokens · .*miner ait1\S+ · receipt \S+ verified/, />>> /);
    terminal.type(`"""${ENTER}`);
    await terminal.shows(/\.\.\. /);
    terminal.type(`And${ENTER}`);
    await terminal.shows(/\.\.\. /);
    terminal.type(`then?"""${ENTER}`);
    await terminal.shows(/Once upon a time\./, />>> /);
    expect(asked()).toMatchObject([
      { role: "system", content: "Be brief." },
      { role: "user", content: "A story" },
      { role: "assistant", content: "Once upon a time." },
      { role: "user", content: "And\nthen?" },
    ]);

    terminal.type("/mo");
    await terminal.shows(/\/mo/);
    terminal.type("\t");
    await terminal.shows(/del/);
    terminal.type(" ta");
    await terminal.shows(/ta/);
    terminal.type("\t");
    await terminal.shows(/lker:1b/);
    terminal.type(ENTER);
    await terminal.shows(/model talker:1b/, />>> /);
    terminal.type(`/set temperature 0.2${ENTER}`);
    await terminal.shows(/temperature 0\.2\r\n/, />>> /);
    terminal.type(`/set top_p 7${ENTER}`);
    await terminal.shows(/INVALID_PAYLOAD/, />>> /);
    // The line above is there again, and can be edited.
    terminal.type("\u001b[A\u001b[A");
    await terminal.shows(/\/set temperature 0\.2/);
    terminal.type(`5${ENTER}`);
    await terminal.shows(/temperature 0\.25\r\n/, />>> /);

    terminal.type(`half${CTRL_C}`);
    await terminal.shows(/Ctrl-C again/, />>> /);
    terminal.type(CTRL_C);
    expect(await terminal.running.ended).toMatchObject({ code: 0 });
    const folder = join(machine.dataDir, "chats");
    expect(readdirSync(folder)).toContain("fox.json");
    expect(statSync(join(folder, "fox.json")).mode & 0o777).toBe(PRIVATE);
  });

  it("asks next what is typed while an answer comes", async () => {
    const terminal = new Terminal();
    await terminal.shows(/>>> /);
    holdAnswers();
    terminal.type(`First${ENTER}`);
    await terminal.shows(/Once/);
    terminal.type(`Second${ENTER}`);
    await terminal.shows(/Second/);
    release();
    await terminal.shows(/ time\./, />>> /, /Once upon a time\./, />>> /);
    expect(asked()).toMatchObject([{ content: "First" }, {}, { content: "Second" }]);
    terminal.type(`/exit${ENTER}`);
    expect(await terminal.running.ended).toMatchObject({ code: 0 });
  });

  it("leaves a job running when the terminal closes, and --continue shows its answer", async () => {
    const terminal = new Terminal("--session", "left");
    await terminal.shows(/>>> /);
    holdAnswers();
    terminal.type(`A story${ENTER}`);
    await terminal.shows(/Once/);
    terminal.running.signal("SIGKILL");
    await terminal.running.ended;
    release();
    const again = new Terminal("--continue");
    await again.shows(/going on with left/, /A story/, /Once upon a time\.\r\n/, /verified/, />>> /);
    again.type(CTRL_D);
    expect(await again.running.ended).toMatchObject({ code: 0 });
  });
});

describe("chat in a pipe", () => {
  const pipe = (input: string, ...args: readonly string[]) =>
    machine.run(["client", "chat", ...args], { env: { AITBC_URL: served.url }, input });

  it("answers one question, with the answer alone on stdout; a session goes on over runs", async () => {
    expect(await pipe("Hello\n", "--session", "plan", "--temperature", "0")).toMatchObject({
      code: 0,
      stdout: "Once upon a time.",
    });
    expect((await pipe("Why?\n", "--session", "plan")).code).toBe(0);
    expect(ollama.last("/api/chat")).toMatchObject({ options: { temperature: 0 } });
    expect(asked()).toMatchObject([
      { content: "Hello" },
      { content: "Once upon a time." },
      { role: "user", content: "Why?" },
    ]);
  });

  it("leaves no file behind unless a session is named, and refuses what is no question", async () => {
    const before = readdirSync(join(machine.dataDir, "chats"));
    expect((await pipe("Hello\n")).code).toBe(0);
    expect(readdirSync(join(machine.dataDir, "chats"))).toEqual(before);
    expect((await pipe("\n")).code).toBe(EXIT.usage);
    expect((await pipe("Hello", "--session", "../x")).code).toBe(EXIT.usage);
  });

  it("Ctrl-C cancels the job and ends the program", async () => {
    holdAnswers();
    const args = ["client", "chat"];
    const env = { AITBC_URL: served.url };
    const running = machine.spawn(args, { env, input: "A story" });
    await running.matchOutput(/Once/);
    running.signal("SIGINT");
    await ollama.closed;
    expect(await running.ended).toMatchObject({ code: INTERRUPTED, stdout: "Once" });
    expect(await lastJob()).toMatchObject({ state: "CANCELED" });
  });

  it("fails as its job does", async () => {
    ollama.refusal = { status: 400, reason: "no" };
    onTestFinished(() => {
      ollama.refusal = undefined;
    });
    const { code, stderr } = await pipe("Hello\n");
    expect([code, stderr]).toEqual([EXIT.jobFailed, expect.stringContaining("[JOB_FAILED]")]);
  });
});

describe("submit", () => {
  const submit = (url: string, ...args: readonly string[]) =>
    machine.spawn(["client", "submit", "--prompt", "A story", ...args], { env: { AITBC_URL: url } });

  it("--stream goes on after its connections broke, without a byte twice or missing", async () => {
    await using proxy = await CutProxy.open(served.url);
    holdAnswers();
    // The proxy is loopback, so the key of this machine goes along.
    const running = submit(proxy.url, "--stream", "--output", "json");
    await running.matchOutput(/"text":"Once"/);
    const before = proxy.connections;
    proxy.cut();
    await expect.poll(() => proxy.connections, { interval: 1 }).toBeGreaterThan(before);
    proxy.cut();
    release();
    const { code, stdout } = await running.ended;
    const lines = stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as { text?: string; answer?: string });
    expect([code, lines.map(({ text = "" }) => text).join("")]).toEqual([0, "Once upon a time."]);
    expect(lines.at(-1)).toMatchObject({ state: "COMPLETED", answer: "Once upon a time." });
  });

  it("and so does a chat, after the daemon was killed in the middle", async () => {
    const [site, rig] = [new Sandbox(), new Sandbox()];
    onTestFinished(async () => {
      for (const one of [rig, site]) await one[Symbol.asyncDispose]();
    });
    const first = await site.serve(["--roles", "coordinator"]);
    const { key } = await first.client("admin").createKey({ kind: "miner", name: "rig" });
    const miner = rig.spawn(["miner", "start"], {
      env: {
        ...ollamaEnv(),
        AITBC_MINER__SLOTS: "2",
        AITBC_URL: first.url,
        AITBC_API_KEY: key,
        AITBC_LOG__FORMAT: "json",
      },
    });
    await miner.match(/session with the coordinator is open/);
    holdAnswers();
    const env = { AITBC_URL: first.url };
    const readers = [
      site.spawn(["client", "submit", "--prompt", "A story", "--stream"], { env }),
      site.spawn(["client", "chat"], { env, input: "A story" }),
    ];
    for (const reader of readers) await reader.matchOutput(/Once/);
    expect((await first.stop("SIGKILL")).signal).toBe("SIGKILL");
    release();
    const again = await site.serve(["--roles", "coordinator", "--port", new URL(first.url).port]);
    const ended = await Promise.all(readers.map((reader) => reader.ended));
    const { items } = await again.client().listJobs({});
    const results = await Promise.all(items.map(({ job_id }) => again.client().getResult(job_id)));
    expect(results).toHaveLength(readers.length);
    expect(ended.map(({ code, stdout }) => [code, stdout]).toSorted()).toEqual(
      results.map(({ result }) => [0, result.text]).toSorted(),
    );
    for (const { stdout } of ended) expect(stdout).toMatch(/^Once upon a time\./);
  });

  it("shows choices and calls of tools", async () => {
    const tool = join(machine.home, "tool.json");
    const parameters = { type: "object", properties: { city: { type: "string" } } };
    writeFileSync(tool, JSON.stringify({ type: "function", function: { name: "weather", parameters } }));
    ollama.lines = [
      {
        message: {
          role: "assistant",
          content: "",
          tool_calls: [{ function: { name: "weather", arguments: { city: "Rome" } } }],
        },
        done: false,
      },
      { message: { role: "assistant", content: "" }, done: true, done_reason: "stop", eval_count: 3 },
    ];
    onTestFinished(() => {
      ollama.lines = undefined;
    });
    const called = await submit(served.url, "--tool", tool).ended;
    expect([called.code, JSON.parse(called.stdout)]).toEqual([
      0,
      { id: expect.any(String), name: "weather", arguments: { city: "Rome" } },
    ]);
    ollama.lines = undefined;
    const many = await submit(served.url, "--n", "2", "--seed", "1").ended;
    expect(many.stdout).toBe("[1/2]\nOnce upon a time.\n[2/2]\nOnce upon a time.\n");
    const yaml = await submit(served.url, "--n", "2", "--output", "yaml").ended;
    expect(yaml.stdout).toMatch(/^choices:\n(?: {2}- text: Once upon a time\.\n(?: {4}.*\n)*){2}$/m);
  });
});

describe("client", () => {
  it("models lists what there is; embed gives vectors", async () => {
    const env = { AITBC_URL: served.url };
    const models = await machine.run(["client", "models", "--output", "json"], { env });
    expect(JSON.parse(models.stdout)).toMatchObject([
      { id: MODEL, aitbc: { miners: 1, context_tokens: 4096, price_uait_per_million_units: 200_000 } },
    ]);
    expect((await machine.run(["client", "models"], { env })).stdout).toMatch(
      /^talker:1b +1 +4096 .* 0\.2 AIT /m,
    );
    ollama.models = [{ name: "vec:1b", digest: "b".repeat(64), context: 512, capabilities: ["embedding"] }];
    ollama.vectors = [
      [3, 4],
      [0, 0.5],
    ];
    const other = new Sandbox();
    onTestFinished(() => other[Symbol.asyncDispose]());
    const daemon = await other.serve([], { env: ollamaEnv() });
    const embed = (...more: readonly string[]) =>
      other.run(["client", "embed", "a fox", "a dog", ...more], { env: { AITBC_URL: daemon.url } });
    expect(JSON.parse((await embed("--output", "json")).stdout)).toMatchObject({
      embeddings: [
        [3, 4],
        [0, 0.5],
      ],
    });
    expect((await embed()).stdout).toMatch(/^0 +2 +5\.0000 +3\.0000 4\.0000\n1 +2 +0\.5000/m);
  });
});
