/** What `client submit` and `client result` make of a payload and of its answer, with a model that can do everything. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import type { Io } from "../../src/cli/io.ts";
import { runCli } from "../../src/cli/run.ts";
import { EXIT } from "../../src/kernel/errors.ts";
import { TestDaemon } from "../harness/daemon.ts";
import { joinPlanned } from "../harness/planned-miner.ts";

/** The head of a PNG is all that tells it. */
const PNG = Buffer.from("89504e470d0a1a0a0000000d49484452", "hex");

let daemon: TestDaemon;
let directory: string;
beforeAll(async () => {
  daemon = await TestDaemon.start();
  directory = mkdtempSync(join(tmpdir(), "aitbc-cli-answers-"));
});
afterAll(async () => {
  await daemon[Symbol.asyncDispose]();
  rmSync(directory, { recursive: true, force: true });
});

async function aitbc(...args: readonly string[]) {
  const out = { stdout: "", stderr: "" };
  const output = (name: keyof typeof out): Io["stdout"] => ({
    write(text) {
      out[name] += text;
      return true;
    },
    once: () => {},
  });
  const code = await runCli(args, {
    env: { HOME: directory, AITBC_URL: daemon.url, AITBC_DATA_DIR: daemon.dataDir },
    cwd: directory,
    stdin: (async function* () {})(),
    stdout: output("stdout"),
    stderr: output("stderr"),
    uptimeMs: () => performance.now(),
    onSignal: () => () => {},
    exit: (status) => {
      throw new Error(`exit ${status}`);
    },
  });
  return { code, ...out };
}

function file(name: string, content: string | Buffer): string {
  writeFileSync(join(directory, name), content);
  return name;
}

async function plan() {
  const engine = await joinPlanned(daemon);
  onTestFinished(() => engine.leave());
  return engine;
}

const jobCount = (): number => daemon.rowCounts()["coordinator_job"] ?? 0;
const idIn = (stderr: string): string => /job ([0-9a-f]{32})/.exec(stderr)?.[1] ?? "";

describe("a payload", () => {
  it("has every member that was asked for, and the engine gets the image", async () => {
    const engine = await plan();
    const schema = { type: "object", properties: { name: { type: "string" } } };
    const running = aitbc(
      ...["client", "submit", "--prompt", "What is this?", "--system", "Be brief."],
      ...["--image", file("photo", PNG), "--format", `@${file("schema.json", JSON.stringify(schema))}`],
      ...["--seed", "7", "--stop", "END", "--stop", "FIN", "--top-p", "0.5", "--max-tokens", "9"],
      ...["--frequency-penalty", "-1", "--logprobs", "1"],
    );
    const run = await engine.nth(0);
    expect(run.request).toMatchObject({
      messages: [
        { role: "system", content: "Be brief." },
        {
          role: "user",
          content: "What is this?",
          images: [{ media_type: "image/png", data: PNG.toString("base64") }],
        },
      ],
      seed: 7,
      stop: ["END", "FIN"],
      top_p: 0.5,
      max_tokens: 9,
      frequency_penalty: -1,
      logprobs: 1,
      format: { type: "json_schema", schema },
    });
    await run.write({ text: "{}", logprobs: [{ token: "{}", logprob: 0 }] });
    run.end();
    const { code, stdout, stderr } = await running;
    expect([code, stdout]).toEqual([0, '{}\nTOKEN  PROBABILITY  LIKELIEST\n"{}"   100.0 %      -\n']);
    expect((await aitbc("client", "result", idIn(stderr))).stdout).toBe(stdout);
  });

  it.each([
    [["--image", "nowhere.png"], "nowhere.png does not exist"],
    [["--image", "words.txt"], "words.txt is no PNG, JPEG, GIF or WebP"],
    [["--tool", "words.txt"], "words.txt holds no JSON"],
    [["--format", "@list.json"], "list.json holds no JSON Schema"],
    [["--tool", "nameless.json"], "/payload/tools/0/name"],
    [["--raw", "--image", "photo.png"], "--raw takes no --image"],
  ])("that cannot be is refused before anything is sent: %j", async (more, message) => {
    file("words.txt", "not what it should be");
    file("list.json", "[]");
    file("nameless.json", "{}");
    file("photo.png", PNG);
    const before = jobCount();
    const { code, stderr } = await aitbc("client", "submit", "--prompt", "x", ...more);
    expect([code, stderr]).toEqual([EXIT.usage, expect.stringContaining(message)]);
    expect(jobCount()).toBe(before);
  });
});

describe("an answer", () => {
  it("of calls is JSON for people and whole for programs; --no-stream waits for its end", async () => {
    const engine = await plan();
    const tool = file("tool.json", JSON.stringify([{ name: "weather" }]));
    const call = { index: 0, id: "c1", name: "weather", arguments: '{"city":"Rome"}' };
    const ask = async (index: number, ...more: readonly string[]) => {
      const running = aitbc("client", "submit", "--prompt", "Rome?", "--tool", tool, ...more);
      const run = await engine.nth(index);
      expect(run.request.tools).toEqual([{ name: "weather" }]);
      await run.write({ text: "Let me see." });
      await run.write({ tool_call: call });
      run.end();
      return running;
    };
    const forPeople = 'Let me see.\n{"id":"c1","name":"weather","arguments":{"city":"Rome"}}\n';
    expect((await ask(0)).stdout).toBe(forPeople);
    const whole = await ask(1, "--no-stream");
    expect(whole.stdout).toBe(forPeople);
    expect((await aitbc("client", "result", idIn(whole.stderr))).stdout).toBe(forPeople);
    const { index: _index, ...told } = call;
    expect(JSON.parse((await ask(2, "--output", "json")).stdout)).toMatchObject({
      state: "COMPLETED",
      answer: "Let me see.",
      choices: [{ text: "Let me see.", tool_calls: [told] }],
    });
  });

  it("in vectors is shown by result as by embed", async () => {
    await plan();
    const { code, stdout, stderr } = await aitbc("client", "embed", "abc", "--dimensions", "2");
    expect([code, stdout]).toEqual([0, expect.stringMatching(/^0 +2 +4\.6098 +3\.0000 3\.5000$/m)]);
    expect((await aitbc("client", "result", idIn(stderr))).stdout).toBe(stdout);
    expect((await aitbc("client", "embed")).stderr).toContain("there is nothing to embed");
  });
});
