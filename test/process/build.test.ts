import { type ChildProcess, execFile, spawn } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createLog } from "../../src/kernel/log.ts";
import { BUILTIN_MODEL, createBuiltinEngine } from "../../src/roles/miner/engines/builtin.ts";
import { IDLE_MS, type LlamaEngine } from "../../src/roles/miner/engines/llama.ts";
import { binaryPath } from "../harness/binary.ts";

/** From starting the engine's process to the first text: what leaves a demo its two seconds. */
const FIRST_TEXT_MS = 2000;
const BUILD_TIMEOUT_MS = 120_000;
/** Node's own licence alone has 150 kB. */
const MAX_OUTPUT_BYTES = 8 * 1024 * 1024;

const modelPath = join(import.meta.dirname, "../../src/app/assets/aitbc-tiny.gguf");
const log = createLog({ level: "silent", format: "json", terminal: false });

/** An empty directory with nothing but a copy of the executable: no node_modules above it. */
let directory: string;
let cache: string;
let binary: string;

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), "aitbc-build-"));
  cache = join(directory, "cache");
  binary = join(directory, "bin/aitbc");
  mkdirSync(join(directory, "bin"));
  copyFileSync(await binaryPath(), binary);
}, BUILD_TIMEOUT_MS);

afterAll(() => rmSync(directory, { recursive: true, force: true }));

/** Runs a command in the empty directory with nothing in its environment but a home. */
function bare(command: readonly string[], variables: readonly string[] = []): readonly string[] {
  return ["/usr/bin/env", "-i", "-C", directory, `HOME=${join(directory, "home")}`, ...variables, ...command];
}

/** `env -i` also takes away how a child finds its IPC channel, so that is said again. */
const IPC = ["NODE_CHANNEL_FD=3", "NODE_CHANNEL_SERIALIZATION_MODE=json"];

function createEngine(cacheDir = cache): LlamaEngine {
  const command = bare([binary, "__engine", cacheDir], IPC);
  return createBuiltinEngine({ command, runtimeVersion: "test", modelPath, slots: 1, idleMs: IDLE_MS, log });
}

async function answer(engine: LlamaEngine): Promise<{ text: string; firstTextMs: number }> {
  const startedAt = performance.now();
  let text = "";
  let firstTextMs = 0;
  await engine.run(
    {
      model: BUILTIN_MODEL,
      messages: [{ role: "user", content: "What is the capital of Japan?" }],
      prefix: "",
      max_tokens: 50,
      temperature: 0,
    },
    {
      signal: new AbortController().signal,
      onChunk: (chunk) => {
        firstTextMs ||= performance.now() - startedAt;
        text += chunk;
      },
      deadlineMs: 20_000,
    },
  );
  return { text, firstTextMs };
}

describe("the single file alone in an empty directory", () => {
  it("unpacks the llama runtime and answers, the first time and again", async () => {
    for (const when of ["cold", "warm"]) {
      await using engine = createEngine();
      const { text, firstTextMs } = await answer(engine);
      expect(text).toBe("The capital of Japan is Tokyo.");
      expect(firstTextMs, when).toBeLessThan(FIRST_TEXT_MS);
      console.log(`first text, ${when} cache: ${firstTextMs.toFixed(0)} ms`);
    }
    const [entry = "", ...others] = readdirSync(cache);
    expect(others).toEqual([]);
    expect(statSync(join(cache, entry)).mode & 0o777).toBe(0o700);
  });

  it("does not load a file of the cache that was changed", async () => {
    const [entry = ""] = readdirSync(cache);
    writeFileSync(join(cache, entry, "loader.cjs"), "process.exit(3);");
    await using engine = createEngine();
    expect((await answer(engine)).text).toBe("The capital of Japan is Tokyo.");
  });

  it("says what to do about a cache that cannot be written", async () => {
    writeFileSync(join(directory, "file"), "");
    await using engine = createEngine(join(directory, "file/cache"));
    await expect(answer(engine)).rejects.toMatchObject({
      code: "CACHE_UNUSABLE",
      message: expect.stringContaining("AITBC_CACHE_DIR"),
    });
  });

  it("runs the whole network: demo ends with a verified receipt", async () => {
    const [file = "", ...args] = bare([binary, "demo", "--json"]);
    const { stdout } = await promisify(execFile)(file, args);
    expect(JSON.parse(stdout.trim().split("\n").at(-1) ?? "")).toMatchObject({
      answer: "37 + 45 = 82.",
      state: "COMPLETED",
      receipt_verified: true,
    });
  });

  it("tells every licence of what is inside, whole even through a pipe", async () => {
    const [file = "", ...args] = bare([binary, "version", "--licenses", "--output", "json"]);
    const { stdout } = await promisify(execFile)(file, args, { maxBuffer: MAX_OUTPUT_BYTES });
    const packages = JSON.parse(stdout) as readonly { name: string; text: string }[];
    expect(packages.map(({ name }) => name)).toEqual(
      expect.arrayContaining(["hono", "llama.cpp", "node-llama-cpp", "SQLite", `node-linux-${process.arch}`]),
    );
    expect(packages.filter(({ text }) => text === "")).toEqual([]);
  });

  it("finds itself well: doctor loads every native part, and leaves the directory as it was", async () => {
    const before = readdirSync(directory, { recursive: true }).length;
    const [file = "", ...args] = bare([binary, "doctor", "--output", "json"], ["AITBC_HTTP__PORT=0"]);
    const { stdout } = await promisify(execFile)(file, args);
    const { healthy, checks } = JSON.parse(stdout) as {
      healthy: boolean;
      checks: readonly { found: string }[];
    };
    expect(healthy).toBe(true);
    expect(checks.map(({ found }) => found).join("\n")).toMatch(/builtin: .* loads and answers/);
    expect(readdirSync(directory, { recursive: true })).toHaveLength(before);
  });

  it("opens no inspector, neither by signal nor by environment", async () => {
    const [file = "", ...args] = bare(
      [binary, "__engine", cache],
      [...IPC, "NODE_OPTIONS=--inspect=127.0.0.1:0"],
    );
    const child = spawn(file, args, { stdio: ["ignore", "ignore", "pipe", "ipc"] });
    try {
      const said = collect(child);
      await loaded(child);
      child.kill("SIGUSR1");
      // It still answers after the signal, and said nothing of a debugger.
      await loaded(child);
      expect(said()).not.toContain("Debugger listening");
    } finally {
      child.kill("SIGKILL");
    }
  });
});

function collect(child: ChildProcess): () => string {
  let text = "";
  child.stderr?.on("data", (bytes: Buffer) => {
    text += bytes.toString();
  });
  return () => text;
}

/** Has the child load the model; resolves when it is ready. */
function loaded(child: ChildProcess): Promise<unknown> {
  return new Promise((resolve, reject) => {
    child.once("message", resolve);
    child.once("exit", () => reject(new Error("the child ended")));
    const setup = { model_path: modelPath, slots: 1, threads: 1, context_tokens: 64, gpu: false };
    child.send({ type: "load", setup });
  });
}
