import { getEventListeners } from "node:events";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { OpenAiServer } from "../../../../test/harness/openai-server.ts";
import type { EnginePiece, EngineRequest, EngineResult, RunOptions } from "./engine.ts";
import { OpenAiEngine } from "./openai.ts";
import type { ServerSettings } from "./openai-models.ts";

const signal = new AbortController().signal;

let server: OpenAiServer;
let engine: OpenAiEngine;
let key: string | undefined;
beforeEach(async () => {
  server = await OpenAiServer.start();
  server.says("Because ", "of ", "Rayleigh 😀.");
  key = undefined;
  engine = create();
});
afterEach(async () => {
  await engine[Symbol.asyncDispose]();
  await server.stop();
});

function create(settings: Partial<ServerSettings> = {}): OpenAiEngine {
  return new OpenAiEngine({
    url: server.url,
    findKey: async () => key,
    keyName: "the key in a test",
    settings: { kind: null, only: [], contextTokens: null, features: null, continues: null, ...settings },
  });
}

async function ask(
  more: Partial<EngineRequest> = {},
  options: Partial<RunOptions> = {},
): Promise<{ pieces: EnginePiece[]; result: EngineResult }> {
  const pieces: EnginePiece[] = [];
  const request: EngineRequest = {
    model: "m",
    messages: [{ role: "user", content: "Why?" }],
    prefix: "",
    max_tokens: 100,
    temperature: 0.5,
    ...more,
  };
  const onChunk = (piece: EnginePiece): void => void pieces.push(piece);
  const result = await engine.run(request, { signal, onChunk, deadlineMs: 10_000, ...options });
  return { pieces, result };
}

describe("models", () => {
  it("are told with what the server says of them, or what servers of its kind can", async () => {
    server.models = [
      { id: "a", owned_by: "vllm", max_model_len: 2048 },
      { id: "b", owned_by: "llamacpp", meta: { n_ctx: 512, n_ctx_train: 8192 } },
      { id: "c", owned_by: "organization_owner" },
      {
        id: "d",
        owned_by: "aitbc",
        aitbc: {
          features: ["text", "tools", "wings"],
          context_tokens: 99,
          digests: ["sha256:d"],
          loaded: true,
        },
      },
      { id: "sp ace", owned_by: "vllm" },
    ];
    const writes = ["text", "logprobs", "json", "json_schema", "penalties"];
    expect(await engine.probe()).toEqual({ available: true, version: `vllm at ${server.url}` });
    expect(await engine.models()).toEqual([
      { name: "a", digest: "openai:a", context_tokens: 2048, features: writes, continues: true },
      { name: "b", digest: "openai:b", context_tokens: 512, features: writes, continues: true },
      { name: "c", digest: "openai:c", context_tokens: 4096, features: ["text"], continues: false },
      {
        name: "d",
        digest: "sha256:d",
        context_tokens: 99,
        features: ["text", "tools"],
        continues: true,
        loaded: true,
      },
    ]);
  });

  it("follow the configuration before the server", async () => {
    server.models = [{ id: "m" }, { id: "other" }];
    await using configured = create({
      only: ["m"],
      contextTokens: 1024,
      features: ["text", "tools"],
      continues: true,
    });
    expect(await configured.models()).toEqual([
      { name: "m", digest: "openai:m", context_tokens: 1024, features: ["text", "tools"], continues: true },
    ]);
  });
});

describe("run", () => {
  it("streams a chat, and tells its usage", async () => {
    await engine.models();
    const { pieces, result } = await ask({
      top_p: 0.9,
      top_k: 40,
      min_p: 0.1,
      repeat_penalty: 1.1,
      seed: 7,
      stop: ["END"],
    });
    expect(pieces).toEqual(["Because ", "of ", "Rayleigh 😀."]);
    expect(result).toEqual({ finish_reason: "stop", prompt_tokens: 7, completion_tokens: 3 });
    expect(server.last("/v1/chat/completions")).toEqual({
      model: "m",
      messages: [{ role: "user", content: "Why?" }],
      max_tokens: 100,
      temperature: 0.5,
      top_p: 0.9,
      top_k: 40,
      min_p: 0.1,
      repetition_penalty: 1.1,
      seed: 7,
      stop: ["END"],
      stream: true,
      stream_options: { include_usage: true },
      chat_template_kwargs: { enable_thinking: false },
    });
  });

  it("goes on after a prefix as each server does it, and right behind a raw prompt", async () => {
    await engine.models();
    await ask({ prefix: "Because " });
    expect(server.last("/v1/chat/completions")).toMatchObject({
      messages: [
        { role: "user", content: "Why?" },
        { role: "assistant", content: "Because " },
      ],
      continue_final_message: true,
      add_generation_prompt: false,
    });
    server.models = [{ id: "m", owned_by: "llamacpp" }];
    await engine.models();
    await ask({ prefix: "Because " });
    expect(server.last("/v1/chat/completions")).not.toHaveProperty("continue_final_message");
    server.events = [{ choices: [{ index: 0, text: "rest", finish_reason: "length" }] }];
    const raw = await engine.run(
      { model: "m", prompt: "Once upon", prefix: " a time", max_tokens: 5, temperature: 0 },
      { signal, onChunk: () => {}, deadlineMs: 10_000 },
    );
    expect(raw).toEqual({ finish_reason: "length", prompt_tokens: 0, completion_tokens: 1 });
    expect(server.last("/v1/completions")).toMatchObject({ prompt: "Once upon a time", max_tokens: 5 });
  });

  it("says how much a model thinks, as each server wants to hear it", async () => {
    const asked = async (more: Partial<EngineRequest>) => {
      await ask(more);
      const { reasoning_effort, chat_template_kwargs } = server.last("/v1/chat/completions");
      return [reasoning_effort, chat_template_kwargs];
    };
    server.models = [{ id: "m" }];
    await engine.models();
    expect(await asked({ think: false })).toEqual([undefined, undefined]);
    expect(await asked({ think: true })).toEqual(["medium", undefined]);
    server.models = [{ id: "m", aitbc: { features: ["text", "thinking"] } }];
    await engine.models();
    expect(await asked({})).toEqual(["none", undefined]);
    expect(await asked({ think: "high" })).toEqual(["high", undefined]);
  });

  it("refuses what this kind of server is not known to do, without asking it", async () => {
    server.models = [{ id: "m" }];
    await engine.models();
    for (const [more, member] of [
      [{ top_k: 4 }, "top_k"],
      [{ min_p: 0.5 }, "min_p"],
      [{ repeat_penalty: 1.5 }, "repeat_penalty"],
      [{ prefix: "begun" }, "messages"],
      [{ wings: 2 } as Partial<EngineRequest>, "wings"],
    ] as const) {
      await expect(ask(more)).rejects.toMatchObject({ code: "UNSUPPORTED_FEATURE", meta: { member } });
    }
    expect(server.requests.filter(({ path }) => path !== "/v1/models")).toEqual([]);
  });

  it("carries tools, images, formats and thoughts, and brings calls, thoughts and probabilities", async () => {
    await engine.models();
    const choice = (delta: object, more: object = {}) => ({ choices: [{ index: 0, delta, ...more }] });
    server.events = [
      choice({ role: "assistant", reasoning_content: "Hm." }),
      choice(
        { content: "It" },
        {
          logprobs: {
            content: [{ token: "It", logprob: -0.5, top_logprobs: [{ token: "At", logprob: -2 }] }],
          },
        },
      ),
      choice({ tool_calls: [{ index: 0, id: "c1", function: { name: "now", arguments: "" } }] }),
      choice({ tool_calls: [{ index: 0, id: "c1", function: { name: "now", arguments: '{"zone":' } }] }),
      choice({ tool_calls: [{ index: 0, function: { arguments: '"UTC"}' } }] }),
      choice({}, { finish_reason: "tool_calls" }),
    ];
    const { pieces, result } = await ask({
      logprobs: 1,
      think: "low",
      format: { type: "json_schema", schema: { type: "object" } },
      tools: [{ name: "now", parameters: { type: "object" } }],
      tool_choice: { name: "now" },
      messages: [
        { role: "user", content: "When?", images: [{ media_type: "image/png", data: "cGlj" }] },
        { role: "assistant", content: "", tool_calls: [{ id: "c0", name: "now", arguments: "{}" }] },
        { role: "tool", content: "12:00", tool_call_id: "c0" },
      ],
    });
    expect(pieces).toEqual([
      { reasoning: "Hm." },
      { text: "It", logprobs: [{ token: "It", logprob: -0.5, top: [{ token: "At", logprob: -2 }] }] },
      { tool_call: { index: 0, id: "c1", name: "now" } },
      { tool_call: { index: 0, arguments: '{"zone":' } },
      { tool_call: { index: 0, arguments: '"UTC"}' } },
    ]);
    expect(result.finish_reason).toBe("tool_calls");
    expect(server.last("/v1/chat/completions")).toMatchObject({
      logprobs: true,
      top_logprobs: 1,
      reasoning_effort: "low",
      chat_template_kwargs: { enable_thinking: true },
      response_format: { type: "json_schema", json_schema: { schema: { type: "object" } } },
      tools: [{ type: "function", function: { name: "now", parameters: { type: "object" } } }],
      tool_choice: { type: "function", function: { name: "now" } },
      messages: [
        {
          role: "user",
          content: [
            { type: "text", text: "When?" },
            { type: "image_url", image_url: { url: "data:image/png;base64,cGlj" } },
          ],
        },
        {
          role: "assistant",
          tool_calls: [{ id: "c0", type: "function", function: { name: "now", arguments: "{}" } }],
        },
        { role: "tool", content: "12:00", tool_call_id: "c0" },
      ],
    });
  });

  it("reads the probabilities of completions in both shapes", async () => {
    const said = [
      { tokens: ["a", "b"], token_logprobs: [null, -1], top_logprobs: [null, { b: -1, c: -3 }] },
      { content: [{ token: "d", logprob: -2 }] },
    ];
    server.events = said.map((logprobs) => ({ choices: [{ text: "x", logprobs, finish_reason: "stop" }] }));
    const pieces: EnginePiece[] = [];
    await engine.run(
      { model: "m", prompt: "p", prefix: "", max_tokens: 5, temperature: 0, logprobs: 2 },
      { signal, onChunk: (piece) => void pieces.push(piece), deadlineMs: 10_000 },
    );
    const top = [
      { token: "b", logprob: -1 },
      { token: "c", logprob: -3 },
    ];
    expect(pieces).toEqual([
      { text: "x", logprobs: [{ token: "b", logprob: -1, top }] },
      { text: "x", logprobs: [{ token: "d", logprob: -2 }] },
    ]);
    expect(server.last("/v1/completions")).toMatchObject({ logprobs: 2 });
  });

  it("makes vectors in the order of the inputs, whatever the server's", async () => {
    const base64 = Buffer.from(new Float32Array([1, 2]).buffer).toString("base64");
    server.body = {
      data: [
        { index: 1, embedding: [1, 2] },
        { index: 0, embedding: "AACAPw==" },
      ],
      usage: { prompt_tokens: 4 },
    };
    const pieces: EnginePiece[] = [];
    const options = { signal, onChunk: (piece: EnginePiece) => void pieces.push(piece), deadlineMs: 10_000 };
    const result = await engine.embed({ model: "m", input: ["a", "b"], dimensions: 2 }, options);
    expect(pieces).toEqual([
      { choice: 0, embedding: "AACAPw==" },
      { choice: 1, embedding: base64 },
    ]);
    expect(result).toEqual({ finish_reason: "stop", prompt_tokens: 4, completion_tokens: 0 });
    expect(server.last("/v1/embeddings")).toMatchObject({ input: ["a", "b"], dimensions: 2 });
    await expect(engine.embed({ model: "m", input: ["a"] }, options)).rejects.toMatchObject({
      code: "ENGINE_FAILED",
    });
  });

  it("leaves no listener on a signal that a thousand jobs share", async () => {
    server.says("yes");
    const shared = new AbortController();
    for (let round = 0; round < 20; round++) {
      await Promise.all(Array.from({ length: 50 }, () => ask({}, { signal: shared.signal })));
    }
    expect(getEventListeners(shared.signal, "abort")).toHaveLength(0);
  });

  it("ends the call at the server when the job is canceled, and when the engine stops", async () => {
    server.endless = true;
    const abort = new AbortController();
    const reason = new Error("nobody wants it any more");
    const canceled = ask({}, { signal: abort.signal, onChunk: () => abort.abort(reason) });
    await expect(canceled).rejects.toBe(reason);
    await server.closed;
    const first = Promise.withResolvers<void>();
    const stopped = ask({}, { onChunk: () => first.resolve() });
    await first.promise;
    await engine[Symbol.asyncDispose]();
    await expect(stopped).rejects.toMatchObject({ code: "SHUTTING_DOWN" });
    await server.closed;
  });
});

describe("failure", () => {
  it("is told apart", async () => {
    for (const [status, body, code] of [
      [404, { error: { message: "no such model" } }, "MODEL_NOT_FOUND"],
      [400, { error: { message: "max_tokens is odd" } }, "INVALID_PAYLOAD"],
      [400, { error: { message: "no tools here", code: "unsupported_parameter" } }, "UNSUPPORTED_FEATURE"],
      [429, { error: { message: "slow down" } }, "ENGINE_UNAVAILABLE"],
      [503, "<html>Loading model</html>", "ENGINE_UNAVAILABLE"],
      [500, { error: "the request exceeds the available context size" }, "INVALID_PAYLOAD"],
      [500, { error: { message: "boom" } }, "ENGINE_FAILED"],
    ] as const) {
      server.refusal = { status, body };
      await expect(ask(), `${status}`).rejects.toMatchObject({ code });
    }
  });

  it("of the key names the key, and a replaced one is used at once", async () => {
    server.key = "right";
    const said = { code: "ENGINE_UNAVAILABLE", message: expect.stringContaining("the key in a test") };
    key = "wrong";
    await expect(ask()).rejects.toMatchObject(said);
    expect(await engine.probe()).toMatchObject({
      available: false,
      reason: expect.stringContaining("the key in a test"),
    });
    key = "right";
    expect((await ask()).result.finish_reason).toBe("stop");
  });

  it("of a server that is not there makes the engine unavailable", async () => {
    await server.stop();
    expect(await engine.probe()).toMatchObject({
      available: false,
      reason: expect.stringContaining("ECONNREFUSED"),
    });
    await expect(ask()).rejects.toMatchObject({ code: "ENGINE_UNAVAILABLE" });
  });

  it("in the middle of an answer is never an answer", async () => {
    const half = { choices: [{ index: 0, delta: { content: "half" }, finish_reason: null }] };
    for (const [events, code] of [
      [[half], "ENGINE_FAILED"],
      [[half, "<html>"], "ENGINE_FAILED"],
      [[half, { error: { message: "boom", code: 500 } }], "ENGINE_FAILED"],
      [[half, { error: { message: "overloaded", code: 503 } }], "ENGINE_UNAVAILABLE"],
      [[half, { choices: [{ delta: {}, finish_reason: "content_filter" }] }], "ENGINE_FAILED"],
    ] as const) {
      server.events = events;
      server.done = events.length > 1;
      await expect(ask()).rejects.toMatchObject({ code });
    }
  });
});
