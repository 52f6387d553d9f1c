import OpenAI from "openai";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { TestDaemon } from "../harness/daemon.ts";
import { openAiClient } from "../harness/openai.ts";
import { untilOffered } from "../harness/planned-miner.ts";

const MODEL = "aitbc-tiny";
const SUM = [{ role: "user" as const, content: "What is 37 + 45?" }];
const ADD = {
  type: "function" as const,
  function: {
    name: "add",
    parameters: {
      type: "object",
      properties: { a: { enum: [37, 45] }, b: { enum: [37, 45] } },
      required: ["a", "b"],
    },
  },
};

describe("what the llama engine can do, through the whole network", () => {
  let daemon: TestDaemon;
  let openai: OpenAI;
  beforeAll(async () => {
    daemon = await TestDaemon.start({ settings: { roles: "coordinator,miner", "miner.slots": "2" } });
    openai = openAiClient(daemon);
    await untilOffered(daemon, MODEL);
  });
  afterAll(() => daemon[Symbol.asyncDispose]());

  it("answers in JSON of a schema", async () => {
    const schema = {
      type: "object",
      properties: { sum: { type: "integer" }, sure: { type: "boolean" } },
      required: ["sum", "sure"],
      additionalProperties: false,
    };
    const { choices } = await openai.chat.completions.create({
      model: MODEL,
      messages: SUM,
      temperature: 0,
      response_format: { type: "json_schema", json_schema: { name: "sum", schema, strict: true } },
    });
    const value = JSON.parse(choices[0]?.message.content ?? "");
    expect(value.sum).toSatisfy(Number.isSafeInteger);
    expect(value.sure).toBeTypeOf("boolean");
  });

  it("calls a tool when it must, and refuses at once to choose", async () => {
    const asked = { model: MODEL, messages: SUM, temperature: 0, tools: [ADD] };
    const stream = openai.chat.completions.stream({ ...asked, tool_choice: "required" });
    const { choices } = await stream.finalChatCompletion();
    expect(choices[0]?.finish_reason).toBe("tool_calls");
    const [call] = choices[0]?.message.tool_calls ?? [];
    if (call?.type !== "function") throw new Error("no call of a function");
    expect(call.function.name).toBe("add");
    expect([37, 45]).toContain(JSON.parse(call.function.arguments).a);
    const error = await openai.chat.completions.create(asked).catch((reason: unknown) => reason);
    if (!(error instanceof OpenAI.BadRequestError)) throw new Error(`not refused: ${String(error)}`);
    expect(error.param).toBe("tools");
  });

  it("tells probabilities, and makes vectors", async () => {
    const { choices } = await openai.chat.completions.create({
      model: MODEL,
      messages: SUM,
      temperature: 0,
      logprobs: true,
      top_logprobs: 2,
    });
    const told = choices[0]?.logprobs?.content ?? [];
    expect(told.map(({ token }) => token).join("")).toBe("37 + 45 = 82.");
    expect(told[0]?.top_logprobs).toHaveLength(2);
    const { data } = await openai.embeddings.create({ model: MODEL, input: ["a fox", "a cat"] });
    expect(data.map(({ embedding }) => embedding.length)).toEqual([96, 96]);
  });

  it("counts what it did not have to read again", async () => {
    const ask = () => openai.chat.completions.create({ model: MODEL, messages: SUM, temperature: 0 });
    expect((await ask()).choices[0]?.message).toEqual((await ask()).choices[0]?.message);
    const metrics = await (await fetch(`${daemon.url}/metrics`)).text();
    const reused = /aitbc_miner_prefix_tokens_total\{reused="true"\} (\d+)/.exec(metrics)?.[1];
    expect(Number(reused)).toBeGreaterThan(20);
  });
});
