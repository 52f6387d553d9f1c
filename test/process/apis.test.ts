/** The APIs of other programs over the built program: what their clients do with them is in `test/flows`. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Sandbox, type Served } from "../harness/process.ts";
import { Api } from "../harness/process-calls.ts";

const MODEL = "aitbc-tiny";
const QUESTION = "What is 37 + 45?";
const ANSWER = "37 + 45 = 82.";
const MESSAGES = [{ role: "user", content: QUESTION }];
const GREEDY = { temperature: 0 };

let machine: Sandbox;
let served: Served;
let api: Api;
beforeAll(async () => {
  machine = new Sandbox();
  served = await machine.serve([]);
  api = new Api(served, machine);
});
afterAll(() => machine[Symbol.asyncDispose]());

describe("OpenAI's API", () => {
  it("answers chats and texts, whole and as a stream", async () => {
    const body = { model: MODEL, messages: MESSAGES, ...GREEDY };
    const whole = await api.call("POST /v1/chat/completions", { body });
    expect(whole.body).toMatchObject({
      object: "chat.completion",
      choices: [{ message: { role: "assistant", content: ANSWER }, finish_reason: "stop" }],
    });
    expect(whole.headers.get("x-aitbc-job-id")).toMatch(/^[0-9a-f]{32}$/);
    const stream = await api.call("POST /v1/chat/completions", { body: { ...body, stream: true } });
    expect(stream.text.endsWith("data: [DONE]\n\n")).toBe(true);
    const text = await api.call("POST /v1/completions", {
      body: { model: MODEL, prompt: QUESTION, max_tokens: 4, ...GREEDY },
    });
    expect(text.body).toMatchObject({ object: "text_completion", choices: [{ index: 0 }] });
  });

  it("makes vectors, and names what it does not know", async () => {
    const made = await api.call("POST /v1/embeddings", { body: { model: MODEL, input: ["a", "b"] } });
    expect(made.body).toMatchObject({ object: "list", data: [{ index: 0 }, { index: 1 }] });
    const unknown = await api.call("POST /v1/chat/completions", {
      body: { model: "none", messages: MESSAGES },
    });
    expect(unknown).toMatchObject({ status: 404, body: { error: { code: "model_not_found" } } });
  });
});

describe("Ollama's API", () => {
  it("answers chats and texts, as a stream of lines and whole", async () => {
    const chat = { model: MODEL, messages: MESSAGES, options: GREEDY };
    const lines = (await api.call("POST /api/chat", { body: chat })).text.trim().split("\n");
    const parts = lines.map((line) => JSON.parse(line) as { message?: { content: string }; done: boolean });
    expect(parts.map(({ message }) => message?.content ?? "").join("")).toBe(ANSWER);
    expect(parts.at(-1)?.done).toBe(true);
    const body = { model: MODEL, prompt: QUESTION, stream: false, options: GREEDY };
    expect((await api.call("POST /api/generate", { body })).body).toMatchObject({
      response: ANSWER,
      done: true,
    });
  });

  it("makes vectors, in both of its shapes", async () => {
    const { body } = await api.call("POST /api/embed", { body: { model: MODEL, input: "a" } });
    expect(body).toMatchObject({ embeddings: [expect.any(Array)] });
    const old = await api.call("POST /api/embeddings", { body: { model: MODEL, prompt: "a" } });
    expect(old.body).toMatchObject({ embedding: expect.any(Array) });
  });

  it("tells its models and its version", async () => {
    expect((await api.call("GET /api/tags")).body).toMatchObject({ models: [{ name: MODEL }] });
    expect((await api.call("GET /api/ps")).body).toMatchObject({ models: expect.any(Array) });
    expect((await api.call("POST /api/show", { body: { model: MODEL } })).body).toMatchObject({
      capabilities: expect.arrayContaining(["completion"]),
    });
    expect((await api.call("GET /api/version", { as: "nobody" })).body).toEqual({
      version: expect.any(String),
    });
  });
});
