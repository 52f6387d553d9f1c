import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { TestLlama } from "../../../../test/harness/llama-engine.ts";
import type { EngineRequest } from "./engine.ts";

let llama: TestLlama;

beforeAll(() => {
  llama = new TestLlama();
});
afterAll(() => llama[Symbol.asyncDispose]());

const ofSchema = (schema: Record<string, unknown>, more: Partial<EngineRequest> = {}) =>
  llama.ask("What is 37 + 45?", { format: { type: "json_schema", schema }, max_tokens: 450, ...more });

const refusal = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => "none",
    (error: unknown) => error,
  );

describe("JSON", () => {
  it("is an object where no schema is given", async () => {
    const { text, result } = await llama.ask("What is 37 + 45?", { format: { type: "json" } });
    expect(JSON.parse(text)).toBeTypeOf("object");
    expect(result.finish_reason).toBe("stop");
  });

  it("is of the schema", async () => {
    const person = {
      type: "object",
      properties: {
        name: { type: "string", minLength: 3, maxLength: 8 },
        age: { type: "integer", minimum: 0 },
        tags: { type: "array", items: { enum: ["red", "blue"] }, minItems: 2, maxItems: 3 },
        friend: { anyOf: [{ type: "null" }, { $ref: "#/$defs/friend" }] },
      },
      required: ["name", "age", "tags", "friend"],
      additionalProperties: false,
      $defs: { friend: { type: "object", properties: { since: { format: "date" } }, required: ["since"] } },
    };
    for (const seed of [undefined, 1, 2, 3]) {
      const { text, result } = await ofSchema(person, seed === undefined ? {} : { seed, temperature: 2 });
      expect(result.finish_reason).toBe("stop");
      const value = JSON.parse(text);
      expect(Object.keys(value)).toEqual(["name", "age", "tags", "friend"]);
      expect([...value.name].length).toBeGreaterThanOrEqual(3);
      expect([...value.name].length).toBeLessThanOrEqual(8);
      expect(Number.isSafeInteger(value.age) && value.age >= 0).toBe(true);
      expect(value.tags.every((tag: string) => ["red", "blue"].includes(tag))).toBe(true);
      expect([2, 3]).toContain(value.tags.length);
      if (value.friend) expect(new Date(value.friend.since).toISOString()).toContain(value.friend.since);
    }
    expect(JSON.parse((await ofSchema({ type: "integer" })).text)).toSatisfy(Number.isSafeInteger);
    expect(JSON.parse((await ofSchema({ const: { a: ['"\\'] } })).text)).toEqual({ a: ['"\\'] });
    const list = JSON.parse(
      (await ofSchema({ type: "array", items: { type: "boolean" }, maxItems: 4 })).text,
    );
    expect(list.every((value: unknown) => typeof value === "boolean")).toBe(true);
  });

  it("leaves out what is not required, in every combination that is allowed", async () => {
    const properties = { a: { const: 1 }, b: { const: 2 }, c: { const: 3 } };
    const seen = new Set<string>();
    for (let seed = 0; seed < 25; seed++) {
      const schema = { type: "object", properties, required: ["b"], additionalProperties: false };
      const { text } = await ofSchema(schema, { seed, temperature: 2, max_tokens: 40 });
      const value = JSON.parse(text);
      expect(value.b).toBe(2);
      seen.add(Object.keys(value).join(""));
    }
    expect([...seen].every((keys) => ["b", "ab", "bc", "abc"].includes(keys))).toBe(true);
    expect(seen.size).toBeGreaterThan(1);
  });

  it("is cut at max_tokens, and before a stop string", async () => {
    const schema = { type: "string", minLength: 100 };
    const cut = await ofSchema(schema, { max_tokens: 7 });
    expect(cut.result).toMatchObject({ finish_reason: "length", completion_tokens: 7 });
    const stopped = await ofSchema({ const: "abc def" }, { stop: [" d"] });
    expect(stopped.text).toBe('"abc');
    expect(stopped.result.finish_reason).toBe("stop");
  });

  it("names what a schema may not say, before a model is loaded", async () => {
    await using idle = new TestLlama();
    const format = { type: "json_schema", schema: { type: "string", pattern: "a" } } as const;
    const error = await refusal(idle.ask("Hello", { format }));
    expect(error).toMatchObject({ code: "INVALID_PAYLOAD", message: expect.stringContaining("pattern") });
    expect(idle.engine.pid).toBeUndefined();
  });
});

describe("a forced call", () => {
  const add = {
    name: "add",
    description: "Adds two numbers",
    parameters: {
      type: "object",
      properties: { a: { enum: [37, 45] }, b: { type: "integer", minimum: 0 } },
      required: ["a", "b"],
    },
  };
  const now = { name: "now" };

  it("comes in parts, with a name of the tools and arguments of its schema", async () => {
    const { choice, chunks, result } = await llama.ask("What is 37 + 45?", {
      tools: [add, now],
      tool_choice: { name: "add" },
    });
    expect(result.finish_reason).toBe("tool_calls");
    const [call] = choice?.tool_calls ?? [];
    expect(call).toMatchObject({ name: "add", id: expect.stringMatching(/^call_/) });
    const values = JSON.parse(call?.arguments ?? "");
    expect([37, 45]).toContain(values.a);
    expect(values.b).toSatisfy(Number.isSafeInteger);
    expect(chunks.length).toBeGreaterThan(3);
    expect(choice?.text).toBe("");
  });

  it("is of any tool where one is required", async () => {
    const tools = [add, { ...now, parameters: {} }];
    const names = new Set<string>();
    for (let seed = 0; seed < 8; seed++) {
      const { choice } = await llama.ask("Hello", { tools, tool_choice: "required", seed, temperature: 2 });
      names.add(choice?.tool_calls[0]?.name ?? "");
    }
    expect([...names].every((name) => ["add", "now"].includes(name))).toBe(true);
  });

  it("is cut at max_tokens, and says so", async () => {
    const { choice, result } = await llama.ask("Hello", {
      tools: [add],
      tool_choice: "required",
      max_tokens: 35,
    });
    expect(result.finish_reason).toBe("length");
    expect(choice?.tool_calls).toHaveLength(1);
  });

  it("is refused where it is left to the model, and where it makes no sense", async () => {
    const ask = (more: Partial<EngineRequest>) => refusal(llama.ask("Hello", more));
    const named = (member: string) => expect.objectContaining({ meta: { member } });
    expect(await ask({ tools: [now] })).toEqual(named("tool_choice"));
    expect(await ask({ tools: [now], tool_choice: { name: "never" } })).toEqual(named("tool_choice"));
    const format = { type: "json" } as const;
    expect(await ask({ tools: [now], tool_choice: "required", format })).toEqual(named("format"));
    expect((await llama.ask("Hello", { tools: [now], tool_choice: "none" })).text).toContain("Hello");
    const answered = [{ role: "tool", content: "12:00", tool_call_id: "1" }] as const;
    expect(await ask({ messages: answered })).toMatchObject({ code: "UNSUPPORTED_FEATURE" });
  });
});

describe("probabilities", () => {
  it("are natural logarithms of the model's own, whatever else bears on the choice", async () => {
    const plain = await llama.ask("What is 37 + 45?", { logprobs: 3 });
    expect(plain.text).toBe("37 + 45 = 82.");
    const tokens = plain.choice?.logprobs ?? [];
    expect(tokens.map(({ token }) => token).join("")).toBe(plain.text);
    expect(tokens).toHaveLength(plain.result.completion_tokens);
    for (const { token, logprob, top = [] } of tokens) {
      expect(top).toHaveLength(3);
      expect(top[0]).toMatchObject({ token, logprob });
      expect(top.reduce((sum, other) => sum + Math.exp(other.logprob), 0)).toBeLessThan(1.000_01);
      expect(Math.exp(logprob)).toBeGreaterThan(0.3);
    }
    // The first token is chosen in the same place, so its probability is the same.
    for (const more of [
      { temperature: 2, seed: 1 },
      { frequency_penalty: 1 },
      { temperature: 1, top_k: 1 },
    ]) {
      const other = await llama.ask("What is 37 + 45?", { logprobs: 3, max_tokens: 1, ...more });
      const [first] = other.choice?.logprobs ?? [];
      const [known] = tokens;
      expect(first?.top?.[0]?.token).toBe(known?.token);
      expect(first?.top?.[0]?.logprob).toBeCloseTo(known?.logprob ?? 1, 4);
    }
    expect((await llama.ask("Hello", { logprobs: 0 })).choice?.logprobs[0]).not.toHaveProperty("top");
  });

  it("tell the bytes of tokens that are a part of a character", async () => {
    const answer = await llama.ask("Hello", {
      format: { type: "json_schema", schema: { const: "漢" } },
      logprobs: 0,
    });
    expect(answer.text).toBe('"漢"');
    const parts = (answer.choice?.logprobs ?? []).filter(({ bytes }) => bytes);
    expect(parts.flatMap(({ bytes = [] }) => bytes)).toEqual([...Buffer.from("漢")]);
  });
});

describe("sampling", () => {
  it("is bent by penalties on what was said already, each of its own", async () => {
    const story = (more: Partial<EngineRequest> = {}) =>
      llama.ask("Tell me a story about a fox", { temperature: 2, seed: 5, max_tokens: 100, ...more });
    const { text } = await story();
    expect((await story({ repeat_penalty: 1, presence_penalty: 0, frequency_penalty: 0 })).text).toBe(text);
    const bent: Partial<EngineRequest>[] = [
      { frequency_penalty: 2 },
      { presence_penalty: 2 },
      { repeat_penalty: 2 },
      { frequency_penalty: -2 },
    ];
    const texts = await Promise.all(bent.map(async (more) => (await story(more)).text));
    expect(new Set([text, ...texts]).size).toBe(5);
    const count = { frequency_penalty: 2, max_tokens: 60 };
    // A comma after each number is what is punished.
    expect((await llama.ask("Count from 1 to 10")).text).toBe("1, 2, 3, 4, 5, 6, 7, 8, 9, 10.");
    expect((await llama.ask("Count from 1 to 10", count)).text).not.toContain("9, 10");
  });

  it("leaves out what is less likely than min_p of the likeliest", async () => {
    const wild = { temperature: 2, seed: 5, max_tokens: 60 };
    const [greedy, sure, any] = [
      await llama.ask("Tell me a story about a fox", { max_tokens: 60 }),
      await llama.ask("Tell me a story about a fox", { ...wild, min_p: 1 }),
      await llama.ask("Tell me a story about a fox", { ...wild, min_p: 0 }),
    ];
    expect(sure.text).toBe(greedy.text);
    expect(any.text).not.toBe(greedy.text);
  });
});

describe("vectors", () => {
  it("have length 1, are the same for the same text, and come in the order of the inputs", async () => {
    const { vectors, result } = await llama.embed(["a fox", "What is 37 + 45?", "a fox"]);
    expect(vectors).toHaveLength(3);
    for (const vector of vectors) {
      expect(vector).toHaveLength(96);
      expect(Math.hypot(...vector)).toBeCloseTo(1, 5);
    }
    expect(vectors[0]).toEqual(vectors[2]);
    expect(vectors[0]).not.toEqual(vectors[1]);
    expect(result).toMatchObject({ finish_reason: "stop", completion_tokens: 0 });
    expect(result.prompt_tokens).toBeGreaterThan(10);
  });

  it("name the input that is too long, and dimensions that the model has not", async () => {
    const long = await refusal(llama.embed(["short", "fox ".repeat(600)]));
    expect(long).toMatchObject({ code: "INVALID_PAYLOAD", message: expect.stringContaining("input[1]") });
    const other = await refusal(llama.embed(["short"], 64));
    expect(other).toMatchObject({ code: "UNSUPPORTED_FEATURE", message: expect.stringContaining("96") });
    expect((await llama.embed(["short"], 96)).vectors[0]).toHaveLength(96);
  });
});
