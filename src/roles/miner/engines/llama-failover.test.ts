import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { TestLlama } from "../../../../test/harness/llama-engine.ts";
import type { EngineRequest } from "./engine.ts";

type Asked = Partial<EngineRequest>;

const question = (content: string): Asked => ({ messages: [{ role: "user", content }], max_tokens: 60 });
const raw = (prompt: string): Asked => ({ prompt, max_tokens: 60 });

/**
 * Questions that the model knows, and texts that make it write what nobody would: words in parts that a tokenizer
 * would have cut elsewhere. Every prompt here was seen to go wrong, or was near one that did.
 */
const ASKED: readonly Asked[] = [
  question("What is 37 + 45?"),
  question("Tell me a story about a fox"),
  question("Write a haiku about rain"),
  question("What is 'water' in French?"),
  question("ünïcödé 漢字 😀"),
  raw("Ω≈ç√∫"),
  raw("e7u0v6ex95c"),
  raw("b r"),
  raw("été à la"),
  raw("Ω漢 x"),
  raw("\n\n\n"),
];

describe("a greedy answer that another engine goes on with", () => {
  // One at a time, and as many at once as there are slots: jobs that run together must not touch each other.
  it.each([1, 4])(
    "is the same wherever it was cut, with %d slots",
    async (slots) => {
      await using llama = new TestLlama({ slots });
      for (const asked of ASKED) {
        const whole = await llama.answer(asked);
        const cuts = whole.chunks.map((_, cut) => whole.chunks.slice(0, cut).join(""));
        for (let at = 0; at < cuts.length; at += slots) {
          const rests = cuts.slice(at, at + slots).map(async (prefix) => {
            const { text, result } = await llama.answer({ ...asked, prefix });
            return { all: prefix + text, result };
          });
          for (const { all, result } of await Promise.all(rests)) {
            // What was cut at max_tokens goes on further here.
            if (whole.result.finish_reason === "length") expect(all.startsWith(whole.text)).toBe(true);
            else expect(all).toBe(whole.text);
            expect(result.cached_tokens ?? 0).toBeGreaterThan(slots === 1 ? 0 : -1);
          }
        }
      }
    },
    120_000,
  );

  it("ends its pieces where its tokens end, also when a part could have been a stop string", async () => {
    await using llama = new TestLlama();
    const plain = await llama.ask("Tell me a story about a fox", { max_tokens: 60 });
    const held = await llama.ask("Tell me a story about a fox", {
      max_tokens: 60,
      stop: ["foxes", "brave wolf"],
    });
    expect(held.text).toBe(plain.text);
    expect(held.chunks).toEqual(plain.chunks);
  });
});

describe("what a sequence has read", () => {
  it("is not read again for a prompt that begins with it, and changes nothing", async () => {
    await using fresh = new TestLlama();
    await using used = new TestLlama();
    const first = await used.ask("Tell me a story about a fox");
    expect(first.result.cached_tokens).toBe(0);
    const messages = [
      { role: "user", content: "Tell me a story about a fox" },
      { role: "assistant", content: first.text },
      { role: "user", content: "What is 37 + 45?" },
    ] as const;
    const [anew, again] = [await fresh.answer({ messages }), await used.answer({ messages })];
    expect(again.text).toBe(anew.text);
    expect(anew.result.cached_tokens).toBe(0);
    const read = first.result.prompt_tokens + first.result.completion_tokens;
    expect(again.result.cached_tokens).toBeGreaterThan(read - 5);
    // Other prompts on the same sequence are not disturbed by what it knows.
    for (const asked of ASKED) {
      expect((await used.answer(asked)).text).toBe((await fresh.answer(asked)).text);
    }
  });

  it("is looked for in every free sequence", async () => {
    await using llama = new TestLlama({ slots: 2 });
    const questions = ["Tell me a story about a fox", "What is a receipt?"];
    await Promise.all(questions.map((content) => llama.ask(content)));
    for (const content of [...questions, ...questions.toReversed()]) {
      const { result } = await llama.ask(content);
      expect(result.cached_tokens).toBe(result.prompt_tokens - 1);
    }
  });
});

describe("jobs that run together", () => {
  const QUESTIONS = [
    "Tell me a story about a fox",
    "What is 37 + 45?",
    "What is a receipt?",
    "Hello",
    "Count from 1 to 10",
    "Write a haiku about rain",
    "Tell me a story about a cat",
    "What is the capital of Japan?",
  ];
  const ROUNDS = 5;

  it("get the answers that they get alone", async () => {
    await using llama = new TestLlama({ slots: 8 });
    const alone = new Map<string, string>();
    for (const content of QUESTIONS) alone.set(content, (await llama.ask(content)).text);
    for (let round = 0; round < ROUNDS; round++) {
      // Three times the slots, so that some read while others write.
      const asked = Array.from({ length: 24 }, (_, n) => QUESTIONS[(n * 5 + round) % QUESTIONS.length] ?? "");
      const answers = await Promise.all(asked.map((content) => llama.ask(content)));
      expect(answers.map(({ text }) => text)).toEqual(asked.map((content) => alone.get(content)));
    }
  }, 60_000);

  // The test above catches two workers only now and then: this one always does.
  it.runIf(process.platform === "linux")("are sampled one after the other", async () => {
    await using llama = new TestLlama();
    await llama.ask("Hello", { max_tokens: 1 });
    const environment = readFileSync(`/proc/${llama.engine.pid}/environ`, "utf8").split("\0");
    expect(environment).toContain("UV_THREADPOOL_SIZE=1");
  });
});
