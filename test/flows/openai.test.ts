import OpenAI from "openai";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { TestDaemon } from "../harness/daemon.ts";
import { openAiClient } from "../harness/openai.ts";
import { untilOffered } from "../harness/planned-miner.ts";

/** The model that ships with the program, run by llama.cpp. */
const MODEL = "aitbc-tiny";
const SUM = [{ role: "user" as const, content: "What is 37 + 45?" }];
const ANSWER = "37 + 45 = 82.";

describe("OpenAI's client on the real built-in engine", () => {
  let daemon: TestDaemon;
  let openai: OpenAI;
  beforeAll(async () => {
    daemon = await TestDaemon.start({ settings: { roles: "coordinator,miner", "miner.slots": "2" } });
    openai = openAiClient(daemon);
    await untilOffered(daemon, MODEL);
  });
  afterAll(() => daemon[Symbol.asyncDispose]());

  it("gets a chat, with the ids of the job, its miner and its receipt", async () => {
    const { data, response } = await openai.chat.completions
      .create({ model: MODEL, messages: SUM, temperature: 0, seed: -1, n: 1, stop: [] })
      .withResponse();
    expect(data).toMatchObject({
      object: "chat.completion",
      model: MODEL,
      choices: [{ index: 0, finish_reason: "stop", message: { role: "assistant", content: ANSWER } }],
      usage: { completion_tokens: 11 },
    });
    const jobId = response.headers.get("x-aitbc-job-id") ?? "";
    expect(data.id).toBe(`chatcmpl-${jobId}`);
    expect(response.headers.get("x-request-id")).not.toBeNull();
    const { result, receipt } = await daemon.client.getResult(jobId);
    expect(result).toMatchObject({ text: ANSWER, usage: { completion_tokens: 11 } });
    const { usage } = data;
    expect(usage?.total_tokens).toBe((usage?.prompt_tokens ?? 0) + 11);
    expect(data).toMatchObject({
      aitbc: { job_id: jobId, receipt_id: receipt?.["receipt_id"], segments: [{ segment: 1 }] },
    });
  });

  it("streams a chat: the same text, the usage where it was asked for, the receipt in the last chunk", async () => {
    const stream = await openai.chat.completions.create({
      model: MODEL,
      messages: [{ role: "developer", content: "You are a calculator." }, ...SUM],
      temperature: 0,
      stream: true,
      stream_options: { include_usage: true },
    });
    const chunks = [];
    for await (const chunk of stream) chunks.push(chunk);
    expect(chunks[0]?.choices[0]?.delta).toEqual({ role: "assistant", content: "" });
    expect(chunks[0]).toMatchObject({ aitbc: { job_id: expect.any(String), miner_id: expect.any(String) } });
    const text = chunks.map((chunk) => chunk.choices[0]?.delta.content ?? "").join("");
    const jobId = chunks[0]?.id.slice("chatcmpl-".length) ?? "";
    const { result, receipt } = await daemon.client.getResult(jobId);
    expect(text).toBe(result.text);
    const last = chunks.at(-1);
    expect(last).toMatchObject({ choices: [], aitbc: { receipt_id: receipt?.["receipt_id"] } });
    expect(last?.usage?.completion_tokens).toBe(result.usage?.completion_tokens);
    expect(chunks.slice(0, -1).every(({ usage }) => usage === null)).toBe(true);
    expect(chunks.at(-2)?.choices[0]?.finish_reason).toBe("stop");
  });

  it("gets several choices, which the seed repeats", async () => {
    const ask = () =>
      openai.chat.completions.create({ model: MODEL, messages: SUM, n: 2, seed: 7, temperature: 1.5 });
    const [first, again] = [await ask(), await ask()];
    expect(first.choices.map(({ index }) => index)).toEqual([0, 1]);
    expect(again.choices.map(({ message }) => message.content)).toEqual(
      first.choices.map(({ message }) => message.content),
    );
  });

  it("continues a text as it is, echoes it, and stops where it is told to", async () => {
    const prompt = "The capital of Japan is";
    const ask = { model: MODEL, prompt, temperature: 0, max_tokens: 6 };
    const plain = await openai.completions.create(ask);
    expect(plain.choices[0]?.text).not.toBe("");
    const echoed = await openai.completions.create({ ...ask, prompt: [prompt], echo: true, best_of: 1 });
    expect(echoed.choices[0]?.text).toBe(prompt + plain.choices[0]?.text);
    const stream = await openai.completions.create({ ...ask, echo: true, stream: true });
    let text = "";
    let reason: string | null = null;
    for await (const { choices } of stream) {
      text += choices[0]?.text ?? "";
      reason = choices[0]?.finish_reason ?? reason;
    }
    expect(text).toBe(echoed.choices[0]?.text);
    expect(reason).toBe(plain.choices[0]?.finish_reason);
  });

  it("makes vectors, as numbers and as base64, alike", async () => {
    const ask = { model: MODEL, input: ["a fox", "a very different sentence"] };
    const floats = await openai.embeddings.create({ ...ask, encoding_format: "float" });
    // Without a format the client asks for base64, and reads it itself.
    const read = await openai.embeddings.create(ask);
    expect(floats.data.map(({ index }) => index)).toEqual([0, 1]);
    expect(floats.data[0]?.embedding.length).toBeGreaterThan(8);
    expect(floats.data[0]?.embedding).not.toEqual(floats.data[1]?.embedding);
    for (const [index, { embedding }] of floats.data.entries()) {
      expect(read.data[index]?.embedding).toEqual([...Float32Array.from(embedding)]);
    }
    expect(floats.usage.prompt_tokens).toBeGreaterThan(0);
    expect(floats.usage.total_tokens).toBe(floats.usage.prompt_tokens);
    const single = await openai.embeddings.create({ model: MODEL, input: "a fox", encoding_format: "float" });
    expect(single.data[0]?.embedding.length).toBe(floats.data[0]?.embedding.length);
  });

  it("lists models and finds one by its name", async () => {
    const { data } = await openai.models.list();
    expect(data.map(({ id }) => id)).toEqual([MODEL]);
    expect(await openai.models.retrieve(MODEL)).toMatchObject({
      id: MODEL,
      object: "model",
      aitbc: { miners: 1, engines: ["builtin"], features: expect.arrayContaining(["text"]) },
    });
    await expect(openai.models.retrieve("a/b:c")).rejects.toThrow(OpenAI.NotFoundError);
  });
});
