import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { OllamaServer } from "../../../../test/harness/ollama-server.ts";
import { AppError } from "../../../kernel/errors.ts";
import { createLog } from "../../../kernel/log.ts";
import type { EngineRequest, EngineResult, RunOptions } from "./engine.ts";
import { OllamaEngine } from "./ollama.ts";
import { type PullProgress, pullModel } from "./ollama-pull.ts";

const log = createLog({ level: "silent", format: "json", terminal: false });
const DIGEST = "a2af6cc3eb7fa8be8504abaf9b04e88f17a119ec3f04a3addf55f92841195f5a";

let server: OllamaServer;
let engine: OllamaEngine;
beforeEach(async () => {
  server = await OllamaServer.start();
  server.models = [{ name: "llama3.2:3b", digest: DIGEST, context: 131_072 }];
  engine = new OllamaEngine({ url: server.url, contextTokens: null, pull: [], optional: false, log });
});
afterEach(async () => {
  await engine[Symbol.asyncDispose]();
  await server.stop();
});

const WRITES = ["json", "json_schema", "penalties"];

const ask = (more: Partial<EngineRequest> = {}): EngineRequest => ({
  model: "llama3.2:3b",
  messages: [{ role: "user", content: "Why is the sky blue?" }],
  prefix: "",
  max_tokens: 100,
  temperature: 0.5,
  ...more,
});

async function answer(
  request: EngineRequest,
  options: Partial<RunOptions> = {},
): Promise<{ chunks: string[]; result: EngineResult }> {
  const chunks: string[] = [];
  const result = await engine.run(request, {
    signal: new AbortController().signal,
    onChunk: (text) => void chunks.push(String(text)),
    deadlineMs: 10_000,
    ...options,
  });
  return { chunks, result };
}

async function failure(outcome: Promise<unknown>): Promise<AppError> {
  const error = await outcome.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (error instanceof AppError) return error;
  throw new Error(`expected an AppError, got ${String(error)}`);
}

describe("models", () => {
  it("are the server's, with digest, a bounded context, what they can do, and whether they are loaded", async () => {
    server.models.push({
      name: "tiny:latest",
      digest: DIGEST,
      context: 2048,
      capabilities: ["completion", "vision", "thinking"],
      loaded: true,
    });
    expect(await engine.probe()).toEqual({ available: true, version: "ollama 0.12.11" });
    expect(await engine.models()).toEqual([
      {
        name: "llama3.2:3b",
        digest: `sha256:${DIGEST}`,
        context_tokens: 8192,
        features: ["text", "logprobs", ...WRITES, "tools"],
        loaded: false,
      },
      {
        name: "tiny:latest",
        digest: `sha256:${DIGEST}`,
        context_tokens: 2048,
        features: ["text", "logprobs", ...WRITES, "vision", "thinking"],
        loaded: true,
      },
    ]);
  });

  it("that make vectors do nothing else, and older servers tell no probabilities", async () => {
    server.version = "0.12.10";
    server.models.push(
      { name: "embed:latest", digest: DIGEST, context: 512, capabilities: ["embedding"] },
      { name: "old:latest", digest: DIGEST, context: 512, capabilities: ["completion"] },
    );
    await engine.probe();
    expect((await engine.models()).map(({ features }) => features)).toEqual([
      ["text", ...WRITES, "tools"],
      ["embedding"],
      ["text", ...WRITES],
    ]);
  });

  it("of another aitbc can do what it says, but be made to call a tool", async () => {
    const features = ["text", "tools", "forced_tools", "logprobs", "wings"];
    server.models = [{ name: "far", digest: DIGEST, context: 512, aitbc: { features } }];
    await engine.probe();
    expect((await engine.models())[0]?.features).toEqual(["text", "tools", "logprobs"]);
  });

  it("leave out the cloud's, those without a use here, names that no document carries, and what cannot be shown", async () => {
    server.models.push(
      { name: "painter:latest", digest: DIGEST, context: 2048, capabilities: ["image"] },
      { name: "gpt-oss:120b-cloud", digest: DIGEST, context: 2048, remote_host: "https://ollama.com:443" },
      { name: "mödel:latest", digest: DIGEST, context: 2048 },
      { name: "broken:latest", digest: DIGEST, context: 2048, broken: true },
    );
    expect((await engine.models()).map(({ name }) => name)).toEqual(["llama3.2:3b"]);
  });

  it("are shown once for each digest", async () => {
    await engine.models();
    await engine.models();
    expect(server.requests.filter(({ path }) => path === "/api/show")).toHaveLength(1);
    expect(server.requests.filter(({ path }) => path === "/api/tags")).toHaveLength(2);
  });
});

describe("run", () => {
  it("streams a chat with the request's options", async () => {
    await engine.models();
    server.answer = ["The ", "sky ", "is\nblue 😀"];
    const { chunks, result } = await answer(
      ask({ top_p: 0.9, top_k: 40, seed: 7, stop: ["END"], max_tokens: 12 }),
    );
    expect(chunks).toEqual(["The ", "sky ", "is\nblue 😀"]);
    expect(result).toEqual({ finish_reason: "stop", prompt_tokens: 26, completion_tokens: 3 });
    expect(server.last("/api/chat")).toMatchObject({
      model: "llama3.2:3b",
      stream: true,
      truncate: false,
      shift: false,
      messages: [{ role: "user", content: "Why is the sky blue?" }],
      options: {
        num_predict: 12,
        temperature: 0.5,
        top_p: 0.9,
        top_k: 40,
        seed: 7,
        stop: ["END"],
        num_ctx: 8192,
      },
    });
  });

  it("goes on after a prefix: as the assistant's last message, or right behind a raw prompt", async () => {
    server.answer = ["rest"];
    await answer(ask({ prefix: "The sky " }));
    expect(server.last("/api/chat")["messages"]).toEqual([
      { role: "user", content: "Why is the sky blue?" },
      { role: "assistant", content: "The sky " },
    ]);
    const raw = {
      model: "llama3.2:3b",
      prompt: "Once upon",
      prefix: " a time",
      max_tokens: 5,
      temperature: 0,
    };
    expect((await answer(raw)).chunks).toEqual(["rest"]);
    expect(server.last("/api/generate")).toMatchObject({ prompt: "Once upon a time", raw: true });
  });

  it("says that the answer was cut at max_tokens", async () => {
    server.doneReason = "length";
    expect((await answer(ask())).result.finish_reason).toBe("length");
  });

  it("does not mind where the network cuts lines and characters", async () => {
    server.answer = ["grüße ", "😀😀", "."];
    server.cutEvery = 3;
    expect((await answer(ask())).chunks.join("")).toBe("grüße 😀😀.");
  });

  it("makes the server wait for a caller that takes nothing, and ends the call at the deadline", async () => {
    server.endless = true;
    let taken = 0;
    const onChunk = (): Promise<void> => {
      taken += 1;
      return new Promise(() => {});
    };
    const error = await failure(answer(ask(), { onChunk, deadlineMs: 300 }));
    expect(error.code).toBe("TIMEOUT");
    expect(taken).toBe(1);
    await server.closed;
  });

  it("ends the call at the server when the job is canceled, in the stream and before it", async () => {
    for (const phase of ["stream", "headers"]) {
      server.endless = true;
      server.silent = phase === "headers";
      const abort = new AbortController();
      const reason = new Error("nobody wants it any more");
      const asked = server.nextCall();
      const first = Promise.withResolvers<void>();
      const outcome = answer(ask(), { signal: abort.signal, onChunk: () => first.resolve() });
      outcome.catch(() => {});
      await (phase === "stream" ? first.promise : asked);
      abort.abort(reason);
      await expect(outcome).rejects.toBe(reason);
      await server.closed;
    }
  });

  it("fails its jobs when it is disposed of", async () => {
    server.endless = true;
    const first = Promise.withResolvers<void>();
    const outcome = answer(ask(), { onChunk: () => first.resolve() });
    await first.promise;
    await engine[Symbol.asyncDispose]();
    expect((await failure(outcome)).code).toBe("SHUTTING_DOWN");
  });
});

describe("failure", () => {
  it("of the key names the key", async () => {
    server.refusal = { status: 401, reason: "The API key is missing or not valid" };
    expect(await failure(answer(ask()))).toMatchObject({
      code: "ENGINE_UNAVAILABLE",
      message: expect.stringContaining("miner.engines.ollama.api_key_file"),
    });
  });

  it("of a server that is not there makes the engine unavailable", async () => {
    await server.stop();
    expect(await engine.probe()).toMatchObject({
      available: false,
      reason: expect.stringContaining("ECONNREFUSED"),
    });
    expect((await failure(engine.models())).code).toBe("ENGINE_UNAVAILABLE");
    expect((await failure(answer(ask()))).code).toBe("ENGINE_UNAVAILABLE");
  });

  it("of a server that never answers the probe is noticed soon", async () => {
    server.silent = true;
    const startedAt = performance.now();
    expect((await engine.probe()).available).toBe(false);
    expect(performance.now() - startedAt).toBeLessThan(2000);
  });

  it("is told apart: no such model, not understood, overloaded, broken", async () => {
    for (const [status, reason, code] of [
      [404, "model 'llama3.2:3b' not found", "MODEL_NOT_FOUND"],
      [400, '"llama3.2:3b" does not support chat', "INVALID_PAYLOAD"],
      [503, "server busy, please try again. maximum pending requests exceeded", "ENGINE_UNAVAILABLE"],
      [500, "llama runner process has terminated: exit status 2", "ENGINE_FAILED"],
      [500, "the input length exceeds the context length", "INVALID_PAYLOAD"],
    ] as const) {
      server.refusal = { status, reason };
      const error = await failure(answer(ask()));
      expect(error.code).toBe(code);
      expect(error.message).toContain(reason);
    }
  });

  it("in the middle of an answer is never an answer", async () => {
    server.answer = ["one ", "two ", "three"];
    for (const breaks of ["socket", "end", "error", "garbage", "cut"] as const) {
      server.breaks = { after: 2, how: breaks };
      const chunks: string[] = [];
      const error = await failure(answer(ask(), { onChunk: (text) => void chunks.push(String(text)) }));
      expect(error.code, breaks).toBe("ENGINE_FAILED");
      expect(error.definition.retry).toBe("later");
      expect(chunks.join("")).not.toContain("three");
    }
  });

  it("names what Ollama cannot be asked for, without asking it", async () => {
    const tools = [{ name: "now" }];
    const choice = await failure(answer(ask({ tools, tool_choice: "required" })));
    expect(choice).toMatchObject({ code: "UNSUPPORTED_FEATURE", meta: { member: "tool_choice" } });
    const unknown = await failure(answer({ ...ask(), wings: 2 } as EngineRequest));
    expect(unknown).toMatchObject({ code: "UNSUPPORTED_FEATURE", meta: { member: "wings" } });
    const tool_calls = [{ id: "1", name: "now", arguments: "[1]" }];
    const broken = await failure(answer(ask({ messages: [{ role: "assistant", content: "", tool_calls }] })));
    expect(broken).toMatchObject({
      code: "INVALID_PAYLOAD",
      message: expect.stringContaining("JSON object"),
    });
    expect(server.requests).toEqual([]);
  });
});

describe("pull", () => {
  const signal = new AbortController().signal;

  it("tells how far it is, and brings the model", async () => {
    const seen: PullProgress[] = [];
    await pullModel(server, "qwen3:1.7b", { signal, onProgress: (progress) => seen.push(progress) });
    expect(seen.at(0)).toEqual({ status: "pulling manifest", total_bytes: 0, completed_bytes: 0 });
    expect(seen).toContainEqual({ status: "pulling b", total_bytes: 300, completed_bytes: 150 });
    expect(seen.at(-1)).toEqual({ status: "success", total_bytes: 300, completed_bytes: 300 });
    expect((await engine.models()).map(({ name }) => name)).toContain("qwen3:1.7b");
  });

  it("is done for the configured models that are missing, once", async () => {
    const pull = ["llama3.2:3b", "qwen3:1.7b", "unknown"];
    await using other = new OllamaEngine({
      url: server.url,
      contextTokens: null,
      pull,
      optional: false,
      log,
    });
    expect(await other.prepare(signal)).toBe(false);
    await other.models();
    expect(await other.prepare(signal)).toBe(true);
    expect(await other.prepare(signal)).toBe(false);
    const pulls = server.requests.filter(({ path }) => path === "/api/pull").map(({ body }) => body["name"]);
    expect(pulls).toEqual(["qwen3:1.7b", "unknown"]);
  });

  it("says what the library lacks, and that it was interrupted", async () => {
    const error = await failure(pullModel(server, "unknown", { signal, onProgress: () => {} }));
    expect(error.code).toBe("ENGINE_FAILED");
    expect(error.message).toContain("pull model manifest: file does not exist");
    const abort = new AbortController();
    const reason = new Error("interrupted");
    const pulling = pullModel(server, "qwen3:1.7b", {
      signal: abort.signal,
      onProgress: () => abort.abort(reason),
    });
    await expect(pulling).rejects.toBe(reason);
  });
});
