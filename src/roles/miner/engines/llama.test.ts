import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { AppError } from "../../../kernel/errors.ts";
import { createLog } from "../../../kernel/log.ts";
import { BUILTIN_MODEL, createBuiltinEngine } from "./builtin.ts";
import type { EngineRequest, EngineResult } from "./engine.ts";
import { createLlamaEngine, IDLE_MS, type LlamaEngine } from "./llama.ts";

const root = join(import.meta.dirname, "../../../..");
const modelPath = join(root, "src/app/assets/aitbc-tiny.gguf");
const log = createLog({ level: "silent", format: "json", terminal: false });
const common = { runtimeVersion: "test", modelPath, slots: 2, idleMs: IDLE_MS, log };

/** Long enough for a model to load on a busy machine. */
const DEADLINE_MS = 20_000;
function ask(content: string, more: Partial<EngineRequest> = {}): EngineRequest {
  return {
    model: BUILTIN_MODEL,
    messages: [{ role: "user", content }],
    prefix: "",
    max_tokens: 200,
    temperature: 0,
    ...more,
  };
}

/** An answer of more pieces than the child sends before it waits: untaken, it never ends. */
const LONG = ask("Tell me a story about a fox");

const RAW = { model: BUILTIN_MODEL, prefix: "", max_tokens: 3, temperature: 0 };

let directory: string;
let engine: LlamaEngine;

/** Opens an engine for each test of a group, or one for all of them, which starts one child. */
function useEngine(before: typeof beforeAll, after: typeof afterAll): void {
  before(() => {
    directory = mkdtempSync(join(tmpdir(), "aitbc-engine-"));
    engine = createBuiltinEngine({ ...common, command: command() });
  });
  after(async () => {
    await engine[Symbol.asyncDispose]();
    rmSync(directory, { recursive: true, force: true });
  });
}

function command(): readonly string[] {
  return [process.execPath, join(root, "src/main.ts"), "__engine", directory];
}

interface Answer {
  readonly text: string;
  readonly chunks: readonly string[];
  readonly result: EngineResult;
}

async function answer(request: EngineRequest, on = engine): Promise<Answer> {
  const chunks: string[] = [];
  const result = await on.run(request, {
    signal: new AbortController().signal,
    onChunk: (text) => void chunks.push(String(text)),
    deadlineMs: DEADLINE_MS,
  });
  return { text: chunks.join(""), chunks, result };
}

/** Starts a long job and waits for its first text. */
async function startLong(
  options: { deadlineMs?: number; signal?: AbortSignal; onChunk?: () => void | Promise<void> } = {},
): Promise<{ outcome: Promise<EngineResult> }> {
  const first = Promise.withResolvers<void>();
  const outcome = engine.run(LONG, {
    signal: options.signal ?? new AbortController().signal,
    deadlineMs: options.deadlineMs ?? DEADLINE_MS,
    onChunk: () => {
      first.resolve();
      return options.onChunk?.();
    },
  });
  outcome.catch(first.reject);
  await first.promise;
  return { outcome };
}

/** A promise that never resolves: an `onChunk` that holds its job where it is. */
const never = (): Promise<void> => new Promise(() => {});

async function failure(outcome: Promise<unknown>): Promise<AppError> {
  const error = await outcome.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (error instanceof AppError) return error;
  throw new Error(`expected an AppError, got ${String(error)}`);
}

/** Resolves when no process has this id any more. */
async function gone(pid: number | undefined): Promise<void> {
  if (pid === undefined) throw new Error("there is no process");
  while (exists(pid)) await new Promise((resolve) => setImmediate(resolve));
}

function exists(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

describe("the built-in model", () => {
  useEngine(beforeAll, afterAll);

  it("offers itself with its hash and context, and can run", async () => {
    expect(await engine.models()).toEqual([
      {
        name: "aitbc-tiny",
        digest: "sha256:3c4bcaa34958b1612d1a6e702240d660fda93c72fc2b6b770feea2259f5bd397",
        context_tokens: 512,
        features: ["text", "embedding", "forced_tools", "logprobs", "json", "json_schema", "penalties"],
        loaded: false,
      },
    ]);
    expect(await engine.probe()).toEqual({ available: true, version: "node-llama-cpp test" });
    expect(engine.pid).toBeUndefined();
  });

  it("answers in pieces, correctly", async () => {
    const sum = await answer(ask("What is 37 + 45?"));
    expect(sum.text).toBe("37 + 45 = 82.");
    expect(sum.chunks.length).toBeGreaterThan(3);
    expect(sum.result.finish_reason).toBe("stop");
    expect(sum.result.completion_tokens).toBeGreaterThanOrEqual(sum.chunks.length);
    expect(sum.result.prompt_tokens).toBeGreaterThan(5);
    expect((await answer(ask("What is the capital of Japan?"))).text).toBe("The capital of Japan is Tokyo.");
  });

  it("answers on every slot at once as it answers alone", async () => {
    const sums = [11, 22, 33, 44].map((number) => answer(ask(`What is ${number} + 5?`)));
    const texts = (await Promise.all(sums)).map(({ text }) => text);
    expect(texts).toEqual(["11 + 5 = 16.", "22 + 5 = 27.", "33 + 5 = 38.", "44 + 5 = 49."]);
  });

  it("goes on after a prefix as if it had never been interrupted", async () => {
    for (const question of ["What is 37 + 45?", "Tell me a story about a fox", "What is a receipt?"]) {
      const whole = await answer(ask(question));
      for (let taken = 1; taken < whole.chunks.length; taken += 3) {
        const prefix = whole.chunks.slice(0, taken).join("");
        const rest = await answer(ask(question, { prefix }));
        expect(prefix + rest.text).toBe(whole.text);
      }
    }
  });

  it("repeats itself with the same seed, and not with another", async () => {
    const request = ask("Tell me a story about a fox", { temperature: 2, max_tokens: 40 });
    const first = await answer({ ...request, seed: 1 });
    expect((await answer({ ...request, seed: 1 })).text).toBe(first.text);
    expect((await answer({ ...request, seed: 2 })).text).not.toBe(first.text);
  });

  it("ends at max_tokens, at the end of the context, and before a stop string", async () => {
    const short = await answer(ask("Tell me a story about a fox", { max_tokens: 5 }));
    expect(short.result).toMatchObject({ finish_reason: "length", completion_tokens: 5 });
    const full = await answer({ ...RAW, prompt: "fox".repeat(168), max_tokens: 100_000 });
    expect(full.result.finish_reason).toBe("length");
    expect(full.result.prompt_tokens + full.result.completion_tokens).toBe(512);
    const stopped = await answer(ask("What is 37 + 45?", { stop: ["= 8", "nowhere"] }));
    expect(stopped.text).toBe("37 + 45 ");
    expect(stopped.result.finish_reason).toBe("stop");
  });

  it("completes a raw prompt", async () => {
    const { text } = await answer({ ...RAW, prompt: "The capital of Japan is" });
    expect(text.length).toBeGreaterThan(0);
  });

  it("takes control tokens in a message for text", async () => {
    const size = async (content: string): Promise<number> =>
      (await answer(ask(content, { max_tokens: 1 }))).result.prompt_tokens;
    // As a control token it would be one; written out in letters it is many.
    expect((await size("fox<|im_end|>")) - (await size("fox"))).toBeGreaterThan(5);
  });
});

describe("what cannot be run", () => {
  useEngine(beforeEach, afterEach);

  it("refuses more input than the context holds", async () => {
    const error = await failure(answer(ask("fox ".repeat(600))));
    expect(error.code).toBe("INVALID_PAYLOAD");
    expect(error.message).toContain("512");
    expect(error.definition.retry).toBe("never");
  });

  it("names what it does not support, and what is not allowed", async () => {
    const thinking: EngineRequest = { ...ask("Hello"), think: true };
    expect(await failure(answer(thinking))).toMatchObject({
      code: "UNSUPPORTED_FEATURE",
      meta: { member: "think" },
    });
    expect(await failure(answer(ask("Hello", { top_p: 2 })))).toMatchObject({ meta: { member: "top_p" } });
    expect((await failure(answer(ask("Hello", { model: "other" })))).code).toBe("MODEL_NOT_FOUND");
    expect(engine.pid).toBeUndefined();
  });

  it("says why a model cannot be loaded", async () => {
    const path = join(directory, "broken.gguf");
    writeFileSync(path, "not a model");
    await using broken = createLlamaEngine({
      ...common,
      command: command(),
      name: "llama",
      model: BUILTIN_MODEL,
      modelPath: path,
      threads: null,
      contextTokens: null,
      gpu: false,
    });
    const error = await failure(answer(ask("Hello"), broken));
    expect(error.code).toBe("ENGINE_UNAVAILABLE");
    expect(error.message).toContain("not a GGUF");
  });
});

describe("any GGUF file", () => {
  useEngine(beforeEach, afterEach);

  it("runs with as many threads as there are cores, and a context of its own", async () => {
    await using own = createLlamaEngine({
      ...common,
      command: command(),
      name: "llama",
      model: "mine",
      threads: availableParallelism() * 64,
      contextTokens: 256,
      gpu: false,
    });
    expect((await own.models())[0]).toMatchObject({ name: "mine", context_tokens: 256 });
    expect((await answer(ask("What is 37 + 45?", { model: "mine" }), own)).text).toBe("37 + 45 = 82.");
  });
});

describe("abort, deadline, crash", () => {
  useEngine(beforeEach, afterEach);

  it("frees the child's slots when jobs are aborted, and serves the next ones from the same child", async () => {
    const abort = new AbortController();
    // Nobody takes their pieces: nothing but the abort ever ends these two.
    const held = [
      await startLong({ signal: abort.signal, onChunk: never }),
      await startLong({ signal: abort.signal, onChunk: never }),
    ];
    const { pid } = engine;
    const next = answer(ask("What is 1 + 1?"));
    const reason = new Error("nobody wants it any more");
    abort.abort(reason);
    for (const { outcome } of held) await expect(outcome).rejects.toBe(reason);
    expect((await next).text).toBe("1 + 1 = 2.");
    expect(engine.pid).toBe(pid);
  });

  it("makes the child wait for a caller that does not take its pieces", async () => {
    let chunks = 0;
    const count = (): Promise<void> => {
      chunks += 1;
      return never();
    };
    // The model is in memory: the deadline is the run's alone.
    await answer(ask("What is 1 + 1?"));
    const { outcome } = await startLong({ onChunk: count, deadlineMs: 2000 });
    expect((await failure(outcome)).code).toBe("TIMEOUT");
    expect(chunks).toBe(1);
    // The child noticed the deadline and is still the same one.
    expect((await answer(ask("What is 37 + 45?"))).text).toBe("37 + 45 = 82.");
  });

  it("kills a child that hangs past the deadline, one second later, and starts another", async () => {
    // The model is in memory: the deadline is the run's alone.
    await answer(ask("What is 1 + 1?"));
    const { outcome } = await startLong({ onChunk: never, deadlineMs: 2000 });
    const pid = engine.pid;
    if (pid === undefined) throw new Error("no child");
    process.kill(pid, "SIGSTOP");
    const other = answer(ask("What is 37 + 45?"));
    expect((await failure(outcome)).code).toBe("TIMEOUT");
    const late = performance.now();
    const error = await failure(other);
    expect(error.code).toBe("ENGINE_FAILED");
    expect(error.definition.retry).toBe("later");
    const waited = performance.now() - late;
    expect(waited).toBeGreaterThan(800);
    expect(waited).toBeLessThan(3000);
    await gone(pid);
    expect((await answer(ask("What is 37 + 45?"))).text).toBe("37 + 45 = 82.");
    expect(engine.pid).not.toBe(pid);
  });

  it("fails the jobs of a child that dies, and runs the next one", async () => {
    const { outcome } = await startLong({ onChunk: never });
    const { pid } = engine;
    if (pid === undefined) throw new Error("no child");
    process.kill(pid, "SIGKILL");
    const error = await failure(outcome);
    expect(error.code).toBe("ENGINE_FAILED");
    expect(error.meta["how"]).toBe("SIGKILL");
    expect((await answer(ask("What is 37 + 45?"))).text).toBe("37 + 45 = 82.");
  });

  it("runs more jobs at once after a change of its slots, which lets running jobs end", async () => {
    const abort = new AbortController();
    const { outcome } = await startLong({ signal: abort.signal, onChunk: never });
    const { pid } = engine;
    engine.resize(3);
    const three = Promise.all([1, 2, 3].map(() => startLong({ onChunk: never })));
    expect(engine.pid).toBe(pid);
    abort.abort(new Error("enough"));
    await expect(outcome).rejects.toThrow("enough");
    // Nobody takes their pieces: all three have their first text only if they run at once.
    for (const { outcome: held } of await three) held.catch(() => {});
    expect(engine.pid).not.toBe(pid);
    await gone(pid);
  });

  it("stops an idle child and starts it again", async () => {
    await using idle = createBuiltinEngine({ ...common, command: command(), idleMs: 1 });
    let pid: number | undefined;
    await idle.run(ask("What is 1 + 1?"), {
      signal: new AbortController().signal,
      onChunk: () => {
        pid = idle.pid;
      },
      deadlineMs: DEADLINE_MS,
    });
    await gone(pid);
    expect((await answer(ask("What is 37 + 45?"), idle)).text).toBe("37 + 45 = 82.");
  });

  it("is loaded for as long as the last job wishes, and says how long loading took", async () => {
    const isLoaded = async (): Promise<unknown> => (await engine.models())[0]?.loaded;
    const first = await answer(ask("What is 1 + 1?", { keep_alive_seconds: 600 }));
    expect(first.result.load_ms).toBeGreaterThan(0);
    expect(await isLoaded()).toBe(true);
    const { pid } = engine;
    const second = await answer(ask("What is 1 + 1?", { keep_alive_seconds: 0 }));
    expect(second.result.load_ms).toBeUndefined();
    await gone(pid);
    expect(await isLoaded()).toBe(false);
    expect((await answer(ask("What is 1 + 1?"))).result.load_ms).toBeGreaterThan(0);
  });

  it.each(["reads", "writes by a grammar"])("lets go of a job within 250 ms while it %s", async (what) => {
    // A text that cannot end before the context does.
    const schema = { type: "array", items: { type: "string", minLength: 500 }, minItems: 500 };
    const writing = { ...ask("Hello"), max_tokens: 450, format: { type: "json_schema", schema } } as const;
    const reading = { ...RAW, prompt: "fox dog ".repeat(120), max_tokens: 200 };
    await answer(ask("What is 1 + 1?"));
    const abort = new AbortController();
    const begun = Promise.withResolvers<void>();
    const runs = [1, 2].map(() =>
      engine.run(what === "reads" ? reading : writing, {
        signal: abort.signal,
        onChunk: () => begun.resolve(),
        deadlineMs: DEADLINE_MS,
      }),
    );
    for (const run of runs) run.catch(() => {});
    if (what !== "reads") await begun.promise;
    const startedAt = performance.now();
    abort.abort(new Error("enough"));
    // Both slots were taken: this one runs when the child has let go of one.
    await answer(ask("What is 1 + 1?", { max_tokens: 1 }));
    expect(performance.now() - startedAt).toBeLessThan(250);
    for (const run of runs) await expect(run).rejects.toThrow("enough");
  });

  it("ends with its parent, even when that is killed", async () => {
    const script = `
      import { createBuiltinEngine } from ${JSON.stringify(join(import.meta.dirname, "builtin.ts"))};
      const engine = createBuiltinEngine(${JSON.stringify({ ...common, log: undefined, command: command() })});
      const request = ${JSON.stringify(LONG)};
      const onChunk = () => (console.log(engine.pid), new Promise(() => {}));
      await engine.run(request, { signal: new AbortController().signal, onChunk, deadlineMs: ${DEADLINE_MS} });
    `;
    const parent = spawn(process.execPath, ["--input-type=module", "-e", script], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    const [line] = (await once(parent.stdout, "data")) as [Buffer];
    const pid = Number(line.toString());
    expect(exists(pid)).toBe(true);
    parent.kill("SIGKILL");
    await gone(pid);
  });

  it("leaves no process behind when disposed of in the middle of a job", async () => {
    const { outcome } = await startLong({ onChunk: never });
    const { pid } = engine;
    await engine[Symbol.asyncDispose]();
    expect((await failure(outcome)).code).toBe("SHUTTING_DOWN");
    await gone(pid);
    expect((await failure(answer(ask("Hello")))).code).toBe("SHUTTING_DOWN");
  });
});
