import type { Ollama } from "ollama/browser";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { TestDaemon } from "../harness/daemon.ts";
import { expectSound, job, receiptsOf } from "../harness/jobs.ts";
import { ollamaClient } from "../harness/ollama.ts";

const MODEL = "aitbc-tiny";
const QUESTION = "What is 37 + 45?";

let daemon: TestDaemon;
let ollama: Ollama;
beforeAll(async () => {
  daemon = await TestDaemon.start({ settings: { roles: "coordinator,miner", "miner.engine": "builtin" } });
  ollama = ollamaClient(daemon);
  // Once a job has run, the miner of this process is known with its model.
  await daemon.client.waitForJob((await daemon.client.submitJob(job(QUESTION))).job_id);
});
afterAll(async () => {
  await daemon[Symbol.asyncDispose]();
});

describe("Ollama's client", () => {
  it("is told that the server is there, as by its command line's first call", async () => {
    expect((await fetch(daemon.url, { method: "HEAD" })).status).toBe(200);
  });

  it("finds the models, and what they can do", async () => {
    const { models } = await ollama.list();
    expect(models).toEqual([
      expect.objectContaining({ name: MODEL, digest: expect.stringMatching(/^[0-9a-f]{64}$/) }),
    ]);
    const shown = await ollama.show({ model: `${MODEL}:latest` });
    expect(shown.capabilities).toContain("completion");
    expect(shown.model_info).toMatchObject({ "general.architecture": "aitbc" });
    expect((await ollama.version()).version).toBe("0.12.11");
    expect(Array.isArray((await ollama.ps()).models)).toBe(true);
  });

  it("chats, streamed and whole, with the same text", async () => {
    const messages = [{ role: "user", content: QUESTION }];
    const options = { temperature: 0, seed: 7, num_predict: 20 };
    let text = "";
    let last: unknown;
    for await (const part of await ollama.chat({ model: MODEL, messages, options, stream: true })) {
      text += part.message.content;
      last = part;
    }
    expect(last).toMatchObject({
      model: MODEL,
      done: true,
      done_reason: expect.stringMatching(/^(stop|length)$/),
      eval_count: expect.any(Number),
      prompt_eval_count: expect.any(Number),
      aitbc: { receipt_id: expect.any(String) },
    });
    expect(text).toContain("82");
    const whole = await ollama.chat({ model: MODEL, messages, options });
    expect(whole.message).toEqual({ role: "assistant", content: text });
    expect(whole.total_duration).toBeGreaterThanOrEqual(whole.eval_duration);
  });

  it("generates from a prompt and continues raw text; the receipt stands under it", async () => {
    const options = { temperature: 0, num_predict: 16 };
    const asked = await ollama.generate({ model: MODEL, prompt: QUESTION, options });
    expect(asked.response).toContain("82");
    const response = await fetch(`${daemon.url}/api/generate`, {
      method: "POST",
      headers: { authorization: `Bearer ${daemon.keys.client}`, "content-type": "application/json" },
      body: JSON.stringify({ model: MODEL, prompt: "Once upon", raw: true, stream: false, options }),
    });
    const jobId = response.headers.get("x-aitbc-job-id") ?? "";
    const { response: text } = (await response.json()) as { response: string };
    expect(text).not.toBe("");
    expectSound(await receiptsOf(daemon.client, jobId), text, "Once upon");
  });

  it("goes on with what the assistant has begun", async () => {
    const options = { temperature: 0, num_predict: 40 };
    const messages = [{ role: "user", content: "Tell me a story about a fox" }];
    const all = (await ollama.chat({ model: MODEL, messages, options })).message.content;
    const begun = all.slice(0, all.indexOf(" ", all.length / 2));
    const rest = await ollama.chat({
      model: MODEL,
      messages: [...messages, { role: "assistant", content: begun }],
      options,
    });
    expect((begun + rest.message.content).startsWith(all)).toBe(true);
  });

  it("only asks whether a model is there", async () => {
    expect(await ollama.generate({ model: MODEL, prompt: "" })).toMatchObject({
      done: true,
      done_reason: "load",
    });
    const unload = { model: MODEL, messages: [], keep_alive: 0 };
    expect(await ollama.chat(unload)).toMatchObject({ done: true, done_reason: "unload" });
    expect(await ollama.embed({ model: MODEL, input: [] })).toMatchObject({ embeddings: [] });
  });

  it("hears what cannot be had, by its name and with the right status", async () => {
    const chat = (more: object) =>
      ollama.chat({ model: MODEL, messages: [{ role: "user", content: "hi" }], ...more });
    for (const [more, status, said] of [
      [{ model: "nobody" }, 404, /'nobody' not found/],
      [{ options: { mirostat: 1 } }, 400, /mirostat.*not supported/],
      [{ options: { num_gpu: 1 } }, 400, /num_gpu.*miners decide/],
      [{ options: { num_ctx: 100_000 } }, 400, /num_ctx.*context/],
      [{ options: { wings: 1 } }, 400, /wings.*not a known member/],
      [{ truncate: true }, 400, /truncate/],
      [{ keep_alive: "soon" }, 400, /keep_alive/],
      [{ messages: [{ role: "tool", content: "12:00", tool_name: "now" }] }, 400, /answers no call/],
      [{ messages: [{ role: "user", content: "?", images: ["bm90IGFuIGltYWdl"] }] }, 400, /no PNG/],
    ] as const) {
      await expect(chat(more), JSON.stringify(more)).rejects.toMatchObject({
        status_code: status,
        message: expect.stringMatching(said),
      });
    }
    await expect(ollama.generate({ model: MODEL, prompt: "a", suffix: "b" })).rejects.toThrow(/suffix/);
    await expect(ollama.generate({ model: MODEL, prompt: "a", context: [1] })).rejects.toThrow(/context/);
    await expect(ollama.generate({ model: MODEL, prompt: "a", template: "t" })).rejects.toThrow(/template/);
    await expect(ollamaClient(daemon, "ait_client_wrong").list()).rejects.toMatchObject({ status_code: 401 });
  });
});
