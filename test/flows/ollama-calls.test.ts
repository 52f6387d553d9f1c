/**
 * What only happens at one exact moment, or with models that the built-in one is not: a planned engine (a fake that
 * the test plays) behind a real miner, a real daemon and Ollama's real client.
 */
import { describe, expect, it } from "vitest";
import { AppError } from "../../src/kernel/errors.ts";
import { bootDaemon } from "../harness/daemon.ts";
import { ollamaClient } from "../harness/ollama.ts";
import { joinPlanned, PLANNED_MODEL, plannedVector } from "../harness/planned-miner.ts";

const MESSAGES = [{ role: "user", content: "go" }];
const ASK = { model: PLANNED_MODEL, messages: MESSAGES };
/** From the abort of a call to the end of the engine's run. */
const CANCEL_MS = 250;
const PNG = Buffer.concat([Buffer.from("89504e470d0a1a0a", "hex"), Buffer.from("not much of a picture")]);

async function boot() {
  const daemon = await bootDaemon();
  const engine = await joinPlanned(daemon);
  return { daemon, engine, ollama: ollamaClient(daemon) };
}

describe("a call", () => {
  it("carries everything that Ollama's clients can ask for to the engine", async () => {
    const { engine, ollama } = await boot();
    const answer = ollama.chat({
      model: PLANNED_MODEL,
      messages: [
        { role: "system", content: "Be short" },
        { role: "user", content: "What is this?", images: [PNG.toString("base64")] },
        {
          role: "assistant",
          content: "",
          tool_calls: [{ function: { name: "now", arguments: { zone: "UTC" } } }],
        },
        { role: "tool", content: "12:00", tool_name: "now" },
      ],
      tools: [
        { type: "function", function: { name: "now", description: "time", parameters: { type: "object" } } },
      ],
      format: { type: "object" },
      think: "high",
      keep_alive: "1m30s",
      logprobs: true,
      top_logprobs: 2,
      options: {
        temperature: 0.5,
        top_k: 4,
        top_p: 0.5,
        min_p: 0.1,
        seed: -1,
        num_ctx: 2048,
        num_predict: 33,
        stop: ["END"],
        repeat_penalty: 1.1,
        presence_penalty: 0.2,
        frequency_penalty: 0.3,
      },
    });
    const run = await engine.nth(0);
    run.end();
    await answer;
    expect(run.request).toEqual({
      model: PLANNED_MODEL,
      prefix: "",
      messages: [
        { role: "system", content: "Be short" },
        {
          role: "user",
          content: "What is this?",
          images: [{ media_type: "image/png", data: PNG.toString("base64") }],
        },
        {
          role: "assistant",
          content: "",
          tool_calls: [{ id: "call_0", name: "now", arguments: '{"zone":"UTC"}' }],
        },
        { role: "tool", content: "12:00", tool_call_id: "call_0" },
      ],
      tools: [{ name: "now", description: "time", parameters: { type: "object" } }],
      format: { type: "json_schema", schema: { type: "object" } },
      think: "high",
      keep_alive_seconds: 90,
      logprobs: 2,
      temperature: 0.5,
      top_k: 4,
      top_p: 0.5,
      min_p: 0.1,
      max_tokens: 33,
      stop: ["END"],
      repeat_penalty: 1.1,
      presence_penalty: 0.2,
      frequency_penalty: 0.3,
    });
  });

  it("asks for nothing by what changes nothing", async () => {
    const { engine, ollama } = await boot();
    const options = {
      repeat_penalty: 1,
      presence_penalty: 0,
      frequency_penalty: 0,
      top_k: 0,
      num_predict: -1,
    };
    const answer = ollama.generate({ model: PLANNED_MODEL, prompt: "go", options, keep_alive: -1 });
    const run = await engine.nth(0);
    run.end();
    await answer;
    expect(run.request).toEqual({
      model: PLANNED_MODEL,
      prefix: "",
      messages: [{ role: "user", content: "go" }],
      max_tokens: 2048,
      temperature: 0.7,
      keep_alive_seconds: 86_400,
    });
  });

  it("brings thoughts, text with probabilities, and whole calls of tools", async () => {
    const { engine, ollama } = await boot();
    const tools = [{ type: "function", function: { name: "now", parameters: { type: "object" } } }];
    const asked = ollama.chat({ ...ASK, tools, think: true, logprobs: true, stream: true });
    const { options, end } = await engine.nth(0);
    for (const delta of [
      { reasoning: "Hm." },
      { text: "It is", logprobs: [{ token: "It is", logprob: -0.5, top: [{ token: "é", logprob: -2 }] }] },
      { tool_call: { index: 0, id: "c1", name: "now", arguments: '{"zone":' } },
      { tool_call: { index: 0, arguments: '"UTC"}' } },
    ]) {
      await options.onChunk(delta);
    }
    end({ finish_reason: "tool_calls" });
    const lines: object[] = [];
    for await (const line of await asked) lines.push(line);
    const told = { model: PLANNED_MODEL, created_at: expect.any(String) };
    expect(lines).toEqual([
      {
        ...told,
        message: { role: "assistant", content: "", thinking: "Hm." },
        done: false,
        aitbc: { job_id: expect.any(String), miner_id: expect.stringMatching(/^ait/) },
      },
      {
        ...told,
        message: { role: "assistant", content: "It is" },
        logprobs: [
          {
            token: "It is",
            logprob: -0.5,
            bytes: [73, 116, 32, 105, 115],
            top_logprobs: [{ token: "é", logprob: -2, bytes: [195, 169] }],
          },
        ],
        done: false,
      },
      expect.objectContaining({
        message: {
          role: "assistant",
          content: "",
          tool_calls: [{ id: "c1", function: { index: 0, name: "now", arguments: { zone: "UTC" } } }],
        },
        done: true,
        done_reason: "stop",
        prompt_eval_count: 3,
        eval_count: 7,
      }),
    ]);
  });

  it("makes vectors, in both ways that clients ask for them", async () => {
    const { ollama } = await boot();
    const { embeddings } = await ollama.embed({ model: PLANNED_MODEL, input: ["a", "bc"], dimensions: 2 });
    expect(embeddings).toEqual([plannedVector("a", 2), plannedVector("bc", 2)]);
    const { embedding } = await ollama.embeddings({ model: PLANNED_MODEL, prompt: "abc" });
    expect(embedding).toEqual(plannedVector("abc"));
  });

  it("that names what no miner can do is refused by that name", async () => {
    const daemon = await bootDaemon();
    await joinPlanned(daemon, { features: ["text"] });
    const ollama = ollamaClient(daemon);
    const chat = (more: object) => ollama.chat({ ...ASK, ...more });
    for (const [more, said] of [
      [{ format: "json" }, /format/],
      [{ think: true }, /think/],
      [{ logprobs: true }, /logprobs/],
      [{ options: { repeat_penalty: 1.5 } }, /repeat_penalty/],
      [{ messages: [{ role: "user", content: "?", images: [PNG.toString("base64")] }] }, /images/],
    ] as const) {
      await expect(chat(more), JSON.stringify(more)).rejects.toMatchObject({
        status_code: 400,
        message: expect.stringMatching(said),
      });
    }
    await expect(ollama.embed({ model: PLANNED_MODEL, input: "a" })).rejects.toThrow(/embeddings/);
  });
});

describe("a failure", () => {
  it("before the first line has a status, and after it a line of its own", async () => {
    const { engine, ollama } = await boot();
    const early = ollama.chat({ ...ASK, stream: true });
    (await engine.nth(0)).fail(new AppError("INVALID_PAYLOAD", "the prompt is longer than the context"));
    await expect(early).rejects.toMatchObject({
      status_code: 400,
      message: expect.stringContaining("longer than the context"),
    });
    const late = ollama.chat({ ...ASK, format: "json", stream: true });
    const run = await engine.nth(1);
    await run.write("half");
    let text = "";
    const reading = (async () => {
      for await (const { message } of await late) {
        text += message.content;
        // Text is there and an answer bound to a grammar cannot be continued: the job ends.
        run.fail(new Error("the engine broke"));
      }
    })();
    await expect(reading).rejects.toThrow(/NOT_CONTINUABLE/);
    expect(text).toBe("half");
  });
});

describe("a caller that goes away", () => {
  it("by its client's abort ends the engine's run at once", async () => {
    const { daemon, engine, ollama } = await boot();
    const asked = ollama.chat({ ...ASK, stream: true });
    const run = await engine.nth(0);
    await run.write("some");
    const stream = await asked;
    let jobId = "";
    let abortedAt = 0;
    const reading = (async () => {
      for await (const part of stream) {
        jobId = (part as { aitbc?: { job_id: string } }).aitbc?.job_id ?? jobId;
        abortedAt = performance.now();
        stream.abort();
      }
    })();
    await expect(reading).rejects.toMatchObject({ name: "AbortError" });
    await run.aborted;
    expect(performance.now() - abortedAt).toBeLessThan(CANCEL_MS);
    expect(await daemon.client.waitForJob(jobId)).toMatchObject({ state: "CANCELED" });
  });

  it("by a time limit before the first line, or without a stream, ends it too", async () => {
    const { daemon, engine } = await boot();
    for (const [index, stream] of [true, false].entries()) {
      const limit = new AbortController();
      const call = fetch(`${daemon.url}/api/chat`, {
        method: "POST",
        headers: { authorization: `Bearer ${daemon.keys.client}`, "content-type": "application/json" },
        body: JSON.stringify({ ...ASK, stream }),
        signal: limit.signal,
      });
      const run = await engine.nth(index);
      limit.abort();
      await expect(call).rejects.toMatchObject({ name: "AbortError" });
      await run.aborted;
    }
  });

  it("is not waited for, but its job is, where it asked for that", async () => {
    const { daemon, engine } = await boot();
    const gone = new AbortController();
    const response = fetch(`${daemon.url}/api/chat`, {
      method: "POST",
      headers: {
        authorization: `Bearer ${daemon.keys.client}`,
        "content-type": "application/json",
        "x-aitbc-detach": "true",
      },
      body: JSON.stringify(ASK),
      signal: gone.signal,
    });
    const run = await engine.nth(0);
    await run.write("first ");
    const jobId = (await response).headers.get("x-aitbc-job-id") ?? "";
    gone.abort();
    await run.write("second");
    run.end();
    await daemon.client.waitForJob(jobId);
    expect((await daemon.client.getResult(jobId)).result.text).toBe("first second");
  });
});
