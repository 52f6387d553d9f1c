import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from "vitest";
import { OllamaServer } from "../../test/harness/ollama-server.ts";
import { OpenAiServer } from "../../test/harness/openai-server.ts";
import { EXIT } from "../kernel/errors.ts";
import type { Io, StopSignal } from "./io.ts";
import { runCli } from "./run.ts";

const MAIN = join(import.meta.dirname, "../main.ts");
const MODEL = "llama3.2:3b";

let home: string;
let server: OllamaServer;
beforeEach(async () => {
  home = mkdtempSync(join(tmpdir(), "aitbc-cli-"));
  server = await OllamaServer.start();
  server.models = [{ name: MODEL, digest: "a".repeat(64), context: 4096 }];
});
afterEach(async () => {
  rmSync(home, { recursive: true, force: true });
  await server.stop();
});

class Terminal {
  stdout = "";
  stderr = "";
  readonly #listeners = new Map<StopSignal, () => void>();

  run(...args: readonly string[]): Promise<number> {
    return runCli(args, this.#io());
  }

  signal(name: StopSignal): void {
    this.#listeners.get(name)?.();
  }

  #io(): Io {
    const output = (name: "stdout" | "stderr") => ({
      write: (text: string): boolean => {
        this[name] += text;
        return true;
      },
      once() {},
    });
    return {
      env: { HOME: home },
      cwd: home,
      stdin: (async function* () {})(),
      stdout: output("stdout"),
      stderr: output("stderr"),
      uptimeMs: () => 1,
      onSignal: (name, listener) => {
        this.#listeners.set(name, listener);
        return () => this.#listeners.delete(name);
      },
      exit(code) {
        throw new Error(`exit ${code}`);
      },
    };
  }
}

describe("aitbc miner pull", () => {
  it("brings a model to the Ollama server, and says which", async () => {
    const terminal = new Terminal();
    expect(await terminal.run("miner", "pull", "qwen3:1.7b", "--ollama-url", server.url)).toBe(0);
    expect(terminal.stdout).toBe("qwen3:1.7b\n");
    expect(server.models.map(({ name }) => name)).toEqual([MODEL, "qwen3:1.7b"]);
  });

  it("ends with the registry's code when there is no such model, or no server", async () => {
    const terminal = new Terminal();
    expect(await terminal.run("miner", "pull", "unknown", "--ollama-url", server.url)).toBe(EXIT.jobFailed);
    expect(terminal.stderr).toContain("file does not exist");
    const { url } = server;
    await server.stop();
    expect(await terminal.run("miner", "pull", "qwen3", "--ollama-url", url)).toBe(EXIT.unsupported);
  });

  it("is interrupted by a signal", async () => {
    server.silent = true;
    const terminal = new Terminal();
    const called = server.nextCall();
    const code = terminal.run("miner", "pull", "qwen3", "--ollama-url", server.url);
    await called;
    terminal.signal("SIGINT");
    expect(await code).toBe(130);
    await server.closed;
  });
});

describe("aitbc miner bench", () => {
  const args = (...more: string[]) => [
    "miner",
    "bench",
    "--engine",
    "ollama",
    "--ollama-url",
    server.url,
    ...more,
  ];

  it("prints a line for each model", async () => {
    server.answer = ["one ", "two ", "three"];
    const terminal = new Terminal();
    expect(await terminal.run(...args("--output", "json"))).toBe(0);
    const [result] = JSON.parse(terminal.stdout) as [Record<string, unknown>];
    expect(result).toMatchObject({ engine: "ollama", model: MODEL, tokens: 3, error: null });
    expect(result["tokens_per_second"]).toBeGreaterThan(0);
    expect(server.last("/api/chat")["options"]).toMatchObject({ num_predict: 128, temperature: 0 });
  });

  it("measures a server of OpenAI's API as well, and doctor finds it", async () => {
    const other = await OpenAiServer.start();
    onTestFinished(() => other.stop());
    other.says("one ", "two ", "three");
    const engine = ["--engine", "openai", "--openai-url", other.url];
    const terminal = new Terminal();
    expect(await terminal.run("miner", "bench", ...engine, "--output", "json")).toBe(0);
    const [result] = JSON.parse(terminal.stdout) as [Record<string, unknown>];
    expect(result).toMatchObject({ engine: "openai", model: "m", tokens: 3, error: null });
    const file = join(home, "config.json");
    writeFileSync(
      file,
      JSON.stringify({ miner: { engine: "openai", engines: { openai: { url: other.url } } } }),
    );
    const doctor = new Terminal();
    await doctor.run("doctor", "--config-file", file, "--data-dir", join(home, "data"));
    expect(doctor.stdout).toContain(`openai: vllm at ${other.url}`);
  });

  it("says so when no model answers, and when there is none of that name", async () => {
    server.refusal = { status: 500, reason: "out of memory" };
    const terminal = new Terminal();
    expect(await terminal.run(...args())).toBe(EXIT.unsupported);
    expect(terminal.stdout).toContain("out of memory");
    expect(await terminal.run(...args("--model", "other"))).toBe(EXIT.notFound);
    expect(terminal.stderr).toContain("no engine here has other");
  });
});

describe("SIGHUP", () => {
  it("makes a running miner read its configuration again; a wrong one changes nothing", async () => {
    const file = join(home, "config.json");
    const settings = {
      client: { url: "http://127.0.0.1:9" },
      miner: { engine: "ollama", engines: { ollama: { url: server.url } } },
    };
    const write = (miner: object): void =>
      writeFileSync(file, JSON.stringify({ ...settings, miner: { ...settings.miner, ...miner } }));
    write({});
    // The log goes to the process's own stderr, so this is a process.
    const args = ["miner", "start", "--config-file", file, "--data-dir", join(home, "data")];
    const miner = spawn(process.execPath, [MAIN, ...args], {
      env: { HOME: home, AITBC_API_KEY: "test" },
      stdio: ["ignore", "ignore", "pipe"],
    });
    const exited = once(miner, "exit");
    onTestFinished(() => void miner.kill("SIGKILL"));
    let log = "";
    let wrote = Promise.withResolvers<void>();
    const wake = (): void => {
      wrote.resolve();
      wrote = Promise.withResolvers();
    };
    miner.stderr.on("data", (bytes) => {
      log += String(bytes);
      wake();
    });
    miner.on("exit", wake);
    const until = async (text: string): Promise<void> => {
      while (!log.includes(text)) {
        if (miner.exitCode !== null) throw new Error(`the miner ended: ${log}`);
        await wrote.promise;
      }
    };
    await until('"msg":"listening"');
    write({ slots: 5, name: "other" });
    miner.kill("SIGHUP");
    await until('"changed":["miner.slots"]');
    expect(log).toContain('"needs_restart":["miner.name"]');
    write({ slots: 0 });
    miner.kill("SIGHUP");
    await until("the configuration cannot be used; nothing changes");
    miner.kill("SIGTERM");
    expect(await exited).toEqual([0, null]);
  });
});
