/**
 * What only happens at one exact moment, or with models that the built-in one is not: a planned engine (a fake that
 * the test plays) behind a real miner, a real daemon and OpenAI's real client.
 */
import OpenAI from "openai";
import { describe, expect, it } from "vitest";
import { bootDaemon } from "../harness/daemon.ts";
import { waitForState } from "../harness/events.ts";
import { openAiClient, post, readTo } from "../harness/openai.ts";
import { joinPlanned, PLANNED_MODEL, plannedVector } from "../harness/planned-miner.ts";

const MESSAGES = [{ role: "user" as const, content: "go" }];
const ASK = { model: PLANNED_MODEL, messages: MESSAGES };
/** From the abort of a call to the end of the engine's run. */
const CANCEL_MS = 250;
/** Larger than the bodies of other routes may be. */
const PNG = Buffer.concat([
  Buffer.from("89504e470d0a1a0a", "hex"),
  Buffer.alloc(2 * 1024 * 1024, "not a picture"),
]);
const PNG_URL = `data:image/png;base64,${PNG.toString("base64")}`;

const WEATHER = {
  type: "function" as const,
  function: { name: "weather", parameters: { type: "object", properties: { city: { type: "string" } } } },
};

describe("a stream", () => {
  it("is, byte for byte, what OpenAI's clients read", async () => {
    const daemon = await bootDaemon();
    const engine = await joinPlanned(daemon);
    const response = await post(daemon, "/chat/completions", {
      ...ASK,
      stream: true,
      stream_options: { include_usage: true },
    });
    expect(response.headers.get("content-type")).toBe("text/event-stream");
    const jobId = response.headers.get("x-aitbc-job-id") ?? "";
    const run = await engine.nth(0);
    const { assigned_miner_id: minerId, requested_at } = await daemon.client.getJob(jobId);
    const reader = response.body?.getReader();
    if (!reader) throw new Error("a stream has a body");
    await run.write("Hel");
    const first = await readTo(reader, '"Hel"');
    await run.write("lo\n");
    run.end();
    const text = first + (await readTo(reader, "[DONE]\n\n"));
    const head = `{"id":"chatcmpl-${jobId}","object":"chat.completion.chunk","created":${Math.floor(Date.parse(requested_at) / 1000)},"model":"acme/planned:7b","choices":`;
    const receiptId = (await daemon.client.getReceipt(jobId))["receipt_id"];
    const { units } = await daemon.client.getJob(jobId);
    expect(text.replace(/^(: [^\n]*\n\n)+/, "")).toBe(
      [
        `data: ${head}[{"index":0,"delta":{"role":"assistant","content":""},"logprobs":null,"finish_reason":null}],"usage":null,"aitbc":{"job_id":"${jobId}","miner_id":"${minerId}"}}`,
        "",
        "id: 1",
        `data: ${head}[{"index":0,"delta":{"content":"Hel"},"logprobs":null,"finish_reason":null}],"usage":null}`,
        "",
        "id: 2",
        `data: ${head}[{"index":0,"delta":{"content":"lo\\n"},"logprobs":null,"finish_reason":null}],"usage":null}`,
        "",
        `data: ${head}[{"index":0,"delta":{},"logprobs":null,"finish_reason":"stop"}],"usage":null}`,
        "",
        `data: ${head}[],"usage":{"prompt_tokens":3,"completion_tokens":7,"total_tokens":10},"aitbc":{"receipt_id":"${receiptId}","units":${units},"segments":[{"segment":1,"miner_id":"${minerId}"}]}}`,
        "",
        "data: [DONE]",
        "",
        "",
      ].join("\n"),
    );
  });

  it("without usage ends with the chunk that says why, and the receipt beside it", async () => {
    const daemon = await bootDaemon();
    const engine = await joinPlanned(daemon);
    const stream = await openAiClient(daemon).chat.completions.create({ ...ASK, stream: true });
    (await engine.nth(0)).end({ finish_reason: "length" });
    const chunks: OpenAI.ChatCompletionChunk[] = [];
    for await (const chunk of stream) chunks.push(chunk);
    expect(chunks.map(({ choices }) => choices[0]?.finish_reason)).toEqual([null, "length"]);
    expect(chunks.at(-1)).toMatchObject({ aitbc: { units: expect.any(Number), segments: [] } });
    expect(chunks.every((chunk) => !("usage" in chunk))).toBe(true);
  });

  it("that nobody reads holds up nothing else, and has everything when it is read", async () => {
    const daemon = await bootDaemon();
    const engine = await joinPlanned(daemon);
    const stalled = await post(daemon, "/chat/completions", { ...ASK, stream: true });
    const run = await engine.nth(0);
    // More than sockets and the ring of newest chunks take: the rest has to come from the database.
    const piece = "0123456789abcdef".repeat(2048);
    for (let n = 0; n < 64; n++) await run.write(piece);
    const other = openAiClient(daemon).chat.completions.create(ASK);
    const quick = await engine.nth(1);
    await quick.write("meanwhile");
    quick.end();
    expect((await other).choices[0]?.message.content).toBe("meanwhile");
    run.end();
    await daemon.client.waitForJob(stalled.headers.get("x-aitbc-job-id") ?? "");
    const text = await stalled.text();
    const pieces = [...text.matchAll(/"delta":\{"content":"([^"]*)"\}/g)].map(([, part]) => part);
    expect(pieces.join("")).toBe(piece.repeat(64));
    const ids = [...text.matchAll(/^id: (\d+)$/gm)].map(([, id]) => Number(id));
    expect(ids).toEqual(Array.from(ids, (_, index) => index + 1));
    expect(text.endsWith("data: [DONE]\n\n")).toBe(true);
  });

  it("tells a waiting caller its place, and why, in comments", async () => {
    const daemon = await bootDaemon();
    const engine = await joinPlanned(daemon);
    await engine.leave();
    const response = await post(daemon, "/chat/completions", { ...ASK, stream: true });
    const reader = response.body?.getReader();
    if (!reader) throw new Error("a stream has a body");
    expect(await readTo(reader, "no miner is online\n\n")).toMatch(/^: queued, position 1, /);
    await reader.cancel();
  });

  it("says how it failed, as an error of the client's, and names nothing as its end", async () => {
    const daemon = await bootDaemon();
    const engine = await joinPlanned(daemon);
    const stream = await openAiClient(daemon).chat.completions.create({
      ...ASK,
      tools: [WEATHER],
      stream: true,
    });
    const run = await engine.nth(0);
    await run.write("half");
    const pieces: string[] = [];
    const reading = (async () => {
      for await (const { choices } of stream) pieces.push(choices[0]?.delta.content ?? "");
    })();
    // Text is there and a call of tools cannot be continued: the job ends.
    run.fail(new Error("the engine broke"));
    const error = await reading.catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(OpenAI.APIError);
    expect(error).toMatchObject({ type: "server_error", code: "job_failed" });
    expect(pieces.join("")).toBe("half");
  });

  it("marks the seam where another miner goes on, and breaks nowhere", async () => {
    const daemon = await bootDaemon({ settings: { "coordinator.reconnect_grace_seconds": "0" } });
    const engine = await joinPlanned(daemon);
    const stream = await openAiClient(daemon).chat.completions.create({
      ...ASK,
      stream: true,
      stream_options: { include_usage: true },
    });
    const chunks: OpenAI.ChatCompletionChunk[] = [];
    const begun = Promise.withResolvers<void>();
    const reading = (async () => {
      for await (const chunk of stream) {
        chunks.push(chunk);
        if (chunk.choices[0]?.delta.content === "one ") begun.resolve();
      }
    })();
    await (await engine.nth(0)).write("one ");
    await begun.promise;
    const other = await joinPlanned(daemon);
    await engine.leave();
    const rest = await other.nth(0);
    expect(rest.request.prefix).toBe("one ");
    await rest.write("two");
    rest.end({ prompt_tokens: 4, completion_tokens: 1 });
    await reading;
    expect(chunks.map(({ choices }) => choices[0]?.delta.content ?? "").join("")).toBe("one two");
    const [first, seam, last] = chunks.flatMap((chunk) => ("aitbc" in chunk ? [chunk.aitbc] : []));
    expect(seam).toMatchObject({ seam: true, miner_id: expect.any(String) });
    expect(seam).not.toMatchObject({ miner_id: (first as { miner_id: string }).miner_id });
    expect(last).toMatchObject({ segments: [{ segment: 1 }, { segment: 2 }] });
    // One token of the prompt's count was the first miner's text.
    expect(chunks.at(-1)?.usage).toEqual({ prompt_tokens: 3, completion_tokens: 2, total_tokens: 5 });
  });
});

describe("a caller that goes away", () => {
  it.each([true, false])("stops the engine at once (stream: %s)", async (stream) => {
    const daemon = await bootDaemon();
    const engine = await joinPlanned(daemon);
    const abort = new AbortController();
    const call = openAiClient(daemon)
      .chat.completions.create({ ...ASK, stream }, { signal: abort.signal })
      .then(async (answer) => {
        if (Symbol.asyncIterator in answer) for await (const _chunk of answer);
      });
    const outcome = call.catch((error: unknown) => error);
    const run = await engine.nth(0);
    await run.write("x");
    const from = performance.now();
    abort.abort();
    await run.aborted;
    expect(performance.now() - from).toBeLessThan(CANCEL_MS);
    if (!stream) expect(await outcome).toBeInstanceOf(OpenAI.APIUserAbortError);
    const [job] = daemon.query<{ state: string }>("select state from coordinator_job");
    expect(job?.state).toMatch(/CANCELED|RUNNING/);
  });

  it("ends a job that waits, too", async () => {
    const daemon = await bootDaemon();
    const engine = await joinPlanned(daemon);
    await engine.leave();
    const abort = new AbortController();
    const response = await post(daemon, "/chat/completions", { ...ASK, stream: true }, {}, abort.signal);
    const jobId = response.headers.get("x-aitbc-job-id") ?? "";
    abort.abort();
    const end = await daemon.client.waitForJob(jobId);
    expect(end.state).toBe("CANCELED");
  });

  it("that asked to be detached comes back by the job's id, after the last event it saw", async () => {
    const daemon = await bootDaemon();
    const engine = await joinPlanned(daemon);
    const abort = new AbortController();
    const body = { ...ASK, stream: true };
    const response = await post(
      daemon,
      "/chat/completions",
      body,
      { "x-aitbc-detach": "true" },
      abort.signal,
    );
    const jobId = response.headers.get("x-aitbc-job-id") ?? "";
    const run = await engine.nth(0);
    const reader = response.body?.getReader();
    if (!reader) throw new Error("a stream has a body");
    await run.write("one ");
    expect(await readTo(reader, '"one "')).toContain("id: 1\n");
    abort.abort();
    await run.write("two");
    run.end();
    let rest = "";
    for await (const event of daemon.client.jobEvents(jobId, { lastEventId: 1 })) {
      if (event.event === "chunk") rest += event.data.text;
    }
    expect(rest).toBe("two");
    expect((await daemon.client.getResult(jobId)).result.text).toBe("one two");
  });

  it.each(["waits", "runs"])(
    "because the daemon stops has not gone: its job, which %s, goes on",
    async (how) => {
      const daemon = await bootDaemon();
      const engine = await joinPlanned(daemon);
      if (how === "waits") await engine.leave();
      const response = await post(daemon, "/chat/completions", { ...ASK, stream: true });
      const jobId = response.headers.get("x-aitbc-job-id") ?? "";
      const reader = response.body?.getReader();
      if (!reader) throw new Error("a stream has a body");
      if (how === "runs") await (await engine.nth(0)).write("x");
      await readTo(reader, how === "runs" ? '"x"' : "no miner is online");
      const next = await daemon.restart();
      expect((await next.client.getJob(jobId)).state).not.toBe("CANCELED");
      await reader.cancel().catch(() => {});
    },
  );
});

describe("a call with an Idempotency-Key", () => {
  it("that timed out joins its running job when it comes again, and another body is refused", async () => {
    const daemon = await bootDaemon();
    const engine = await joinPlanned(daemon);
    const openai = openAiClient(daemon, { timeout: 300 });
    const again = { idempotencyKey: "k-1", headers: { "idempotency-key": "k-1" } };
    const timedOut = await openai.chat.completions.create(ASK, again).catch((error: unknown) => error);
    expect(timedOut).toBeInstanceOf(OpenAI.APIConnectionTimeoutError);
    const run = await engine.nth(0);
    const answer = openAiClient(daemon).chat.completions.create(ASK, again).withResponse();
    await run.write("late");
    run.end();
    const { data, response } = await answer;
    expect(data.choices[0]?.message.content).toBe("late");
    expect(response.headers.get("idempotent-replayed")).toBe("true");
    expect(engine.runs).toHaveLength(1);
    const other = post(daemon, "/chat/completions", { ...ASK, seed: 1 }, again.headers);
    expect((await other).status).toBe(400);
    expect(await (await other).json()).toMatchObject({ error: { code: "idempotency_mismatch" } });
  });

  it("is repeated by the client itself, over its own retries, as one job", async () => {
    const daemon = await bootDaemon();
    const engine = await joinPlanned(daemon);
    const openai = openAiClient(daemon, { timeout: 1_000, maxRetries: 5 });
    const answer = openai.chat.completions.create(ASK, { headers: { "idempotency-key": "k-2" } });
    const run = await engine.nth(0);
    await waitForState(daemon.client, runningJob(daemon), ({ state }) => state === "RUNNING");
    run.end();
    expect((await answer).choices[0]?.finish_reason).toBe("stop");
    expect(engine.runs).toHaveLength(1);
  });
});

function runningJob(daemon: Awaited<ReturnType<typeof bootDaemon>>): string {
  const [job] = daemon.query<{ job_id: string }>("select job_id from coordinator_job");
  return job?.job_id ?? "";
}

describe("what text alone cannot say", () => {
  it("calls tools, in parts and whole, and takes their results", async () => {
    const daemon = await bootDaemon();
    const engine = await joinPlanned(daemon);
    const openai = openAiClient(daemon);
    const stream = openai.chat.completions.stream({ ...ASK, tools: [WEATHER], tool_choice: "auto" });
    const run = await engine.nth(0);
    expect(run.request.tools).toEqual([{ name: "weather", parameters: WEATHER.function.parameters }]);
    await run.write({ tool_call: { index: 0, id: "call_1", name: "weather", arguments: "" } });
    await run.write({ tool_call: { index: 0, arguments: '{"city":' } });
    await run.write({ tool_call: { index: 0, arguments: '"Oslo"}' } });
    await run.write({ tool_call: { index: 1, id: "call_2", name: "weather", arguments: "{}" } });
    run.end({ finish_reason: "tool_calls" });
    const message = await stream.finalMessage();
    expect(message.tool_calls).toMatchObject([
      { id: "call_1", type: "function", function: { name: "weather", arguments: '{"city":"Oslo"}' } },
      { id: "call_2", type: "function", function: { name: "weather", arguments: "{}" } },
    ]);
    const next = openai.chat.completions.create({
      ...ASK,
      tools: [WEATHER],
      tool_choice: { type: "function", function: { name: "weather" } },
      messages: [
        ...MESSAGES,
        { role: "assistant", content: null, tool_calls: message.tool_calls ?? [] },
        { role: "tool", tool_call_id: "call_1", content: [{ type: "text", text: "rain" }] },
      ],
    });
    const second = await engine.nth(1);
    expect(second.request.tool_choice).toEqual({ name: "weather" });
    expect(second.request.messages?.at(-1)).toEqual({
      role: "tool",
      content: "rain",
      tool_call_id: "call_1",
    });
    expect(second.request.messages?.at(-2)?.tool_calls?.[0]?.arguments).toBe('{"city":"Oslo"}');
    await second.write({ tool_call: { index: 0, id: "call_3", name: "weather", arguments: "{}" } });
    second.end({ finish_reason: "tool_calls" });
    expect((await next).choices[0]).toMatchObject({
      finish_reason: "tool_calls",
      message: { content: null, tool_calls: [{ id: "call_3" }] },
    });
  });

  it("tells probabilities of tokens, thoughts, and asks for JSON of a schema", async () => {
    const daemon = await bootDaemon();
    const engine = await joinPlanned(daemon);
    const schema = { type: "object", properties: { a: { type: "integer" } } };
    const answer = openAiClient(daemon).chat.completions.create({
      ...ASK,
      logprobs: true,
      top_logprobs: 2,
      reasoning_effort: "low",
      presence_penalty: 0.5,
      frequency_penalty: 0,
      response_format: { type: "json_schema", json_schema: { name: "a", schema, strict: true } },
    });
    const run = await engine.nth(0);
    expect(run.request).toMatchObject({
      logprobs: 2,
      think: "low",
      presence_penalty: 0.5,
      format: { type: "json_schema", schema },
    });
    expect(run.request).not.toHaveProperty("frequency_penalty");
    await run.write({ reasoning: "hm" });
    const top = [
      { token: "é", logprob: -0.5 },
      { token: "e", logprob: -1 },
    ];
    await run.write({ text: "é", logprobs: [{ token: "é", logprob: -0.5, top }] });
    run.end();
    const [choice] = (await answer).choices;
    expect(choice).toMatchObject({ message: { content: "é", reasoning_content: "hm" } });
    expect(choice?.logprobs?.content).toEqual([
      {
        token: "é",
        logprob: -0.5,
        bytes: [0xc3, 0xa9],
        top_logprobs: [
          { token: "é", logprob: -0.5, bytes: [0xc3, 0xa9] },
          { token: "e", logprob: -1, bytes: [0x65] },
        ],
      },
    ]);
  });

  it("shows images to the model: they go through the artifacts, not the job", async () => {
    const daemon = await bootDaemon();
    const engine = await joinPlanned(daemon);
    const answer = openAiClient(daemon).chat.completions.create({
      model: PLANNED_MODEL,
      messages: [
        {
          role: "user",
          content: [
            { type: "text", text: "what is this?" },
            { type: "image_url", image_url: { url: PNG_URL, detail: "low" } },
          ],
        },
      ],
    });
    const run = await engine.nth(0);
    expect(run.request.messages?.[0]).toMatchObject({
      content: "what is this?",
      images: [{ media_type: "image/png", data: PNG.toString("base64") }],
    });
    run.end();
    await answer;
    const [row] = daemon.query<{ payload: string }>("select payload from coordinator_job");
    expect(row?.payload).not.toContain(PNG.toString("base64"));
  });

  it("makes vectors of the length that is asked for", async () => {
    const daemon = await bootDaemon();
    await joinPlanned(daemon);
    const ask = { model: PLANNED_MODEL, input: ["ab", "c"], dimensions: 4 };
    const { data, usage } = await openAiClient(daemon).embeddings.create(ask);
    expect(data.map(({ embedding }) => embedding)).toEqual([plannedVector("ab", 4), plannedVector("c", 4)]);
    expect(usage).toEqual({ prompt_tokens: 3, total_tokens: 3 });
  });
});
