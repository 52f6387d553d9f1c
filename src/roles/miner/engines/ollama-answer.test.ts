import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { OllamaServer } from "../../../../test/harness/ollama-server.ts";
import { createLog } from "../../../kernel/log.ts";
import type { EnginePiece, EngineRequest, EngineResult } from "./engine.ts";
import { OllamaEngine } from "./ollama.ts";

const log = createLog({ level: "silent", format: "json", terminal: false });
const signal = new AbortController().signal;

let server: OllamaServer;
let engine: OllamaEngine;
beforeEach(async () => {
  server = await OllamaServer.start();
  engine = new OllamaEngine({ url: server.url, contextTokens: null, pull: [], optional: false, log });
});
afterEach(async () => {
  await engine[Symbol.asyncDispose]();
  await server.stop();
});

async function ask(
  more: Partial<EngineRequest> = {},
): Promise<{ pieces: EnginePiece[]; result: EngineResult }> {
  const pieces: EnginePiece[] = [];
  const request: EngineRequest = {
    model: "llama3.2:3b",
    messages: [{ role: "user", content: "When?" }],
    prefix: "",
    max_tokens: 100,
    temperature: 0.5,
    ...more,
  };
  const onChunk = (piece: EnginePiece): void => void pieces.push(piece);
  const result = await engine.run(request, { signal, onChunk, deadlineMs: 10_000 });
  return { pieces, result };
}

describe("more than text", () => {
  const done = {
    message: { content: "" },
    done: true,
    done_reason: "stop",
    prompt_eval_count: 1,
    eval_count: 2,
  };

  it("asks with all that Ollama knows", async () => {
    await ask({
      min_p: 0.1,
      frequency_penalty: 0.2,
      presence_penalty: 0.3,
      repeat_penalty: 1.1,
      logprobs: 2,
      format: { type: "json_schema", schema: { type: "object" } },
      think: "high",
      keep_alive_seconds: 60,
      tools: [{ name: "now", description: "tells the time" }],
      messages: [
        { role: "user", content: "When?", images: [{ media_type: "image/png", data: "cGlj" }] },
        {
          role: "assistant",
          content: "",
          tool_calls: [{ id: "c1", name: "now", arguments: '{"zone":"UTC"}' }],
        },
        { role: "tool", content: "12:00", tool_call_id: "c1" },
      ],
    });
    expect(server.last("/api/chat")).toMatchObject({
      think: "high",
      logprobs: true,
      top_logprobs: 2,
      format: { type: "object" },
      keep_alive: 60,
      options: { min_p: 0.1, frequency_penalty: 0.2, presence_penalty: 0.3, repeat_penalty: 1.1 },
      tools: [
        {
          type: "function",
          function: {
            name: "now",
            description: "tells the time",
            parameters: { type: "object", properties: {} },
          },
        },
      ],
      messages: [
        { role: "user", content: "When?", images: ["cGlj"] },
        { role: "assistant", tool_calls: [{ function: { name: "now", arguments: { zone: "UTC" } } }] },
        { role: "tool", content: "12:00", tool_name: "now" },
      ],
    });
    await ask({ format: { type: "json" }, tools: [{ name: "now" }], tool_choice: "none" });
    expect(server.last("/api/chat")).toMatchObject({ format: "json", think: false });
    expect(server.last("/api/chat")).not.toHaveProperty("tools");
  });

  it("brings thoughts, calls of tools and probabilities", async () => {
    server.lines = [
      { message: { content: "", thinking: "Hm." }, logprobs: [{ token: "Hm.", logprob: -1 }], done: false },
      {
        message: { content: "It is" },
        logprobs: [{ token: "It is", logprob: -0.5, top_logprobs: [{ token: "It", logprob: -2 }] }],
        done: false,
      },
      {
        message: {
          content: "",
          tool_calls: [
            { id: "c1", function: { name: "now", arguments: { zone: "UTC" } } },
            { function: { name: "now", arguments: {} } },
          ],
        },
        done: false,
      },
      done,
    ];
    const { pieces: got, result } = await ask({ logprobs: 1, tools: [{ name: "now" }], think: true });
    expect(got).toEqual([
      { reasoning: "Hm." },
      {
        text: "It is",
        logprobs: [{ token: "It is", logprob: -0.5, top: [{ token: "It", logprob: -2 }] }],
      },
      { tool_call: { index: 0, id: "c1", name: "now", arguments: '{"zone":"UTC"}' } },
      { tool_call: { index: 1, id: expect.stringMatching(/^call_/), name: "now", arguments: "{}" } },
    ]);
    expect(result).toMatchObject({ finish_reason: "tool_calls", completion_tokens: 2 });
  });

  it("makes vectors, in the order of the inputs", async () => {
    server.vectors = [
      [1, -0.5],
      [0, 2],
    ];
    const got: EnginePiece[] = [];
    const onChunk = (piece: EnginePiece): void => void got.push(piece);
    const options = { signal, onChunk, deadlineMs: 10_000 };
    const request = { model: "embed", input: ["a", "b"], dimensions: 2, keep_alive_seconds: 0 };
    const result = await engine.embed(request, options);
    expect(got).toEqual([
      { choice: 0, embedding: Buffer.from(new Float32Array([1, -0.5]).buffer).toString("base64") },
      { choice: 1, embedding: Buffer.from(new Float32Array([0, 2]).buffer).toString("base64") },
    ]);
    expect(result).toEqual({ finish_reason: "stop", prompt_tokens: 5, completion_tokens: 0 });
    expect(server.last("/api/embed")).toEqual({
      model: "embed",
      input: ["a", "b"],
      truncate: false,
      dimensions: 2,
      keep_alive: 0,
    });
    await expect(engine.embed({ model: "embed", input: ["one"] }, options)).rejects.toMatchObject({
      code: "ENGINE_FAILED",
    });
  });

  it("tells how long a model was loaded, where it was", async () => {
    server.loadNs = 20_000_000;
    expect((await ask()).result).not.toHaveProperty("load_ms");
    server.loadNs = 4_200_000_000;
    expect((await ask()).result.load_ms).toBe(4200);
  });
});
