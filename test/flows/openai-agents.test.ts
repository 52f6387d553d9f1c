/**
 * An agent framework over OpenAI's API: Vercel's AI SDK. Its tools are called by a planned engine (a fake that the
 * test plays, since the built-in model calls none), its texts come from the built-in one.
 */
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { embedMany, generateText, stepCountIs, streamText, tool } from "ai";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { bootDaemon, type TestDaemon } from "../harness/daemon.ts";
import { joinPlanned, PLANNED_MODEL, plannedVector, untilOffered } from "../harness/planned-miner.ts";

const provider = (daemon: TestDaemon) =>
  createOpenAICompatible({
    name: "aitbc",
    baseURL: `${daemon.url}/v1`,
    apiKey: daemon.keys.client,
    includeUsage: true,
  });

const weather = tool({
  description: "The weather of a city",
  inputSchema: z.object({ city: z.string() }),
  execute: async ({ city }) => `rain in ${city}`,
});

describe("Vercel's AI SDK", () => {
  it("generates and streams text of the built-in model, with usage", async () => {
    const daemon = await bootDaemon({ settings: { roles: "coordinator,miner" } });
    await untilOffered(daemon, "aitbc-tiny");
    const ask = {
      model: provider(daemon)("aitbc-tiny"),
      system: "Answer.",
      prompt: "What is 37 + 45?",
      temperature: 0,
    };
    const { text, usage, finishReason } = await generateText(ask);
    expect(text).not.toBe("");
    expect(finishReason).toBe("stop");
    expect(usage.outputTokens).toBeGreaterThan(0);
    const streamed = streamText(ask);
    let joined = "";
    for await (const part of streamed.textStream) joined += part;
    expect(joined).toBe(text);
    expect((await streamed.usage).outputTokens).toBe(usage.outputTokens);
  });

  it("runs a tool between two answers, in one stream", async () => {
    const daemon = await bootDaemon();
    const engine = await joinPlanned(daemon);
    const streamed = streamText({
      model: provider(daemon)(PLANNED_MODEL),
      prompt: "How is the weather in Oslo?",
      tools: { weather },
      stopWhen: stepCountIs(3),
    });
    const text = (async () => {
      let joined = "";
      for await (const part of streamed.textStream) joined += part;
      return joined;
    })();
    const first = await engine.nth(0);
    expect(first.request.tools?.[0]).toMatchObject({ name: "weather", description: "The weather of a city" });
    await first.write({ tool_call: { index: 0, id: "c1", name: "weather", arguments: '{"city":' } });
    await first.write({ tool_call: { index: 0, arguments: '"Oslo"}' } });
    first.end({ finish_reason: "tool_calls" });
    const second = await engine.nth(1);
    expect(second.request.messages?.slice(-2)).toEqual([
      expect.objectContaining({
        role: "assistant",
        tool_calls: [{ id: "c1", name: "weather", arguments: '{"city":"Oslo"}' }],
      }),
      { role: "tool", content: "rain in Oslo", tool_call_id: "c1" },
    ]);
    await second.write("It rains.");
    second.end();
    expect(await text).toBe("It rains.");
    expect(await streamed.finishReason).toBe("stop");
  });

  it("stops the engine when it is aborted", async () => {
    const daemon = await bootDaemon();
    const engine = await joinPlanned(daemon);
    const abort = new AbortController();
    const streamed = streamText({
      model: provider(daemon)(PLANNED_MODEL),
      prompt: "go on and on",
      abortSignal: abort.signal,
      onError: () => {},
    });
    const reading = (async () => {
      for await (const part of streamed.textStream) if (part === "more") abort.abort();
    })();
    const run = await engine.nth(0);
    await run.write("more");
    await run.aborted;
    await reading.catch(() => {});
    expect(daemon.query("select count(*) as n from coordinator_job")).toEqual([{ n: 1 }]);
  });

  it("reads vectors, and a refusal as one", async () => {
    const daemon = await bootDaemon();
    await joinPlanned(daemon);
    const model = provider(daemon).textEmbeddingModel(PLANNED_MODEL);
    const { embeddings } = await embedMany({ model, values: ["ab", "c"] });
    expect(embeddings).toEqual([plannedVector("ab"), plannedVector("c")]);
    const unknown = generateText({ model: provider(daemon)("nobody/has-it"), prompt: "x", maxRetries: 0 });
    await expect(unknown).rejects.toMatchObject({
      statusCode: 404,
      message: expect.stringContaining("nobody/has-it"),
    });
  });
});
