/** Miners that die in the middle of an answer, as OpenAI's own client sees it. */
import OpenAI from "openai";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { bootDaemon, bootMiner, TestDaemon } from "../harness/daemon.ts";
import { expectSound, receiptsOf } from "../harness/jobs.ts";
import { openAiClient } from "../harness/openai.ts";
import { joinPlanned, PLANNED_MODEL, untilOffered } from "../harness/planned-miner.ts";
import { ScriptedMiner } from "../harness/scripted-miner.ts";

const BUILTIN = "aitbc-tiny";
const SETTINGS = { "coordinator.reconnect_grace_seconds": "0" };
const PROMPT = "The capital of Japan is";
const MAX_TOKENS = 32;

interface Extended {
  readonly aitbc?: {
    readonly job_id?: string;
    readonly miner_id?: string | null;
    readonly seam?: boolean;
    readonly segments?: readonly { readonly segment: number; readonly miner_id: string | null }[];
  };
}

const ASK = { model: BUILTIN, temperature: 0, stream: true } as const;
const CHAT = [{ role: "user" as const, content: "What is 37 + 45?" }];

/** The two ways to continue: after a raw prompt, and after the beginning of an assistant's message. */
const WAYS = {
  text: async (openai: OpenAI, max_tokens = MAX_TOKENS) =>
    readWhole(await openai.completions.create({ ...ASK, max_tokens, prompt: PROMPT })),
  chat: async (openai: OpenAI, max_tokens = MAX_TOKENS) =>
    readWhole(await openai.chat.completions.create({ ...ASK, max_tokens, messages: CHAT })),
} as const;
type Way = keyof typeof WAYS;

/** Reads a stream to its end: its text, and what its chunks said beside OpenAI's members. */
async function readWhole(stream: AsyncIterable<OpenAI.Completion | OpenAI.ChatCompletionChunk>) {
  let text = "";
  const extensions: NonNullable<Extended["aitbc"]>[] = [];
  for await (const chunk of stream) {
    const [choice] = chunk.choices;
    text += (choice && ("text" in choice ? choice.text : choice.delta.content)) ?? "";
    const { aitbc } = chunk as Extended;
    if (aitbc) extensions.push(aitbc);
  }
  return { text, extensions };
}

describe("a stream of the real model whose miner dies in the middle", () => {
  let daemon: TestDaemon;
  let digest: string;
  beforeAll(async () => {
    daemon = await TestDaemon.start({ settings: { roles: "coordinator,miner", "miner.slots": "1" } });
    await untilOffered(daemon, BUILTIN);
    digest = await modelDigest(daemon);
  });
  afterAll(() => daemon[Symbol.asyncDispose]());

  const places: readonly [Way, number][] = [
    ["text", 1],
    ["text", 2],
    ["chat", 1],
    ["chat", 4],
    ["chat", 8],
  ];
  it.each(places)("does not break, and says the same as without (%s, %i tokens)", async (way, tokens) => {
    const whole = (await WAYS[way](openAiClient(daemon))).text;
    const begun = (await WAYS[way](openAiClient(daemon), tokens)).text;
    expect(begun.length).toBeLessThan(whole.length);
    const fallen = await bootDaemon({ settings: SETTINGS });
    const first = await ScriptedMiner.join(fallen, { models: [BUILTIN], digest });
    const reading = WAYS[way](openAiClient(fallen));
    const work = await first.take();
    await work.deliver(begun);
    first.disconnect();
    await bootMiner(fallen);
    const { text, extensions } = await reading;
    expect(text).toBe(whole);
    const seams = extensions.filter(({ seam }) => seam === true);
    expect(seams).toHaveLength(1);
    expect(extensions[0]?.miner_id).toBe(first.minerId);
    expect(seams[0]?.miner_id).not.toBe(first.minerId);
    expect(extensions.at(-1)?.segments).toEqual([
      { segment: 1, miner_id: first.minerId },
      { segment: 2, miner_id: seams[0]?.miner_id },
    ]);
    const receipts = await receiptsOf(fallen.client, work.lease.job_id);
    expect(receipts).toHaveLength(2);
    const prompts = receipts.map(({ metadata }) => (metadata as { prompt_units: number }).prompt_units);
    expect(prompts).toEqual([0, work.offer.terms.prompt_units]);
    if (way === "text") expectSound(receipts, text, PROMPT);
  });
});

/** The digest of the built-in model as its miner registered it. */
async function modelDigest({ url, keys }: TestDaemon): Promise<string> {
  const response = await fetch(`${url}/api/tags`, { headers: { "x-api-key": keys.client } });
  // The route's contract.
  const { models } = (await response.json()) as { models: { name: string; digest: string }[] };
  return `sha256:${models.find(({ name }) => name === BUILTIN)?.digest}`;
}

const WEATHER = {
  type: "function" as const,
  function: { name: "weather", parameters: { type: "object", properties: {} } },
};
const MESSAGES = [{ role: "user" as const, content: "go" }];
const FORMAT = { type: "json_object" as const };

/** What another miner cannot go on with, and what the error must say of it. */
const BOUND: readonly [string, Partial<OpenAI.ChatCompletionCreateParams>, RegExp][] = [
  ["several choices", { n: 2 }, /several choices cannot be continued/],
  ["calls of tools", { tools: [WEATHER] }, /may call tools cannot be continued/],
  ["a grammar", { response_format: FORMAT }, /bound to a grammar cannot be continued/],
];

describe.each(BOUND)("an answer with %s whose miner dies", (_name, wish, reason) => {
  const ask = { model: PLANNED_MODEL, messages: MESSAGES, ...wish, stream: true as const };

  it("before its first text is made by another one, and nobody sees it", async () => {
    const daemon = await bootDaemon({ settings: SETTINGS });
    const first = await joinPlanned(daemon);
    const stream = await openAiClient(daemon).chat.completions.create(ask);
    await first.nth(0);
    const second = await joinPlanned(daemon);
    await first.leave();
    const runs = "n" in wish ? [0, 1] : [0];
    const answered = (async () => {
      for (const index of runs) {
        const run = await second.nth(index);
        await run.write(`{${index}}`);
        run.end();
      }
    })();
    const texts = ["", ""];
    const extensions: Extended["aitbc"][] = [];
    for await (const chunk of stream) {
      for (const { index, delta } of chunk.choices) texts[index] += delta.content ?? "";
      extensions.push((chunk as Extended).aitbc);
    }
    await answered;
    expect(texts.filter((text) => text !== "")).toEqual(runs.map((index) => `{${index}}`));
    expect(extensions.some((extension) => extension?.seam)).toBe(false);
  });

  it("after its first text ends with an error of OpenAI's that says so", async () => {
    const daemon = await bootDaemon({ settings: SETTINGS });
    const first = await joinPlanned(daemon);
    const stream = await openAiClient(daemon).chat.completions.create(ask);
    const begun = Promise.withResolvers<void>();
    let text = "";
    const reading = (async () => {
      for await (const { choices } of stream) {
        text += choices[0]?.delta.content ?? "";
        if (text !== "") begun.resolve();
      }
    })().catch((error: unknown) => error);
    await (await first.nth(0)).write("{");
    await begun.promise;
    const second = await joinPlanned(daemon);
    await first.leave();
    const error = await reading;
    expect(error).toBeInstanceOf(OpenAI.APIError);
    expect(error).toMatchObject({
      type: "server_error",
      code: "job_failed",
      message: expect.stringMatching(reason),
    });
    expect(text).toBe("{");
    expect(second.runs).toHaveLength(0);
    const [job] = (await daemon.client.listJobs({ limit: 1 })).items;
    expect(job).toMatchObject({ state: "FAILED", error: expect.stringMatching(/^NOT_CONTINUABLE: /) });
  });
});
