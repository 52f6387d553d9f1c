/** Refusals as OpenAI's clients know them. Engines are planned (fakes that the test plays): nothing runs on most. */
import OpenAI from "openai";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { AppError } from "../../src/kernel/errors.ts";
import { bootDaemon, TestDaemon } from "../harness/daemon.ts";
import { openAiClient, post } from "../harness/openai.ts";
import { joinPlanned, PLANNED_MODEL } from "../harness/planned-miner.ts";
import { poll } from "../harness/poll.ts";

const MODEL = "aitbc-tiny";
const MESSAGES = [{ role: "user" as const, content: "go" }];
const MIB = 1024 * 1024;
const PNG = "89504e470d0a1a0a";

interface ErrorBody {
  readonly error: { message: string; type: string; param: string | null; code: string | null };
}

async function refusal(response: Response): Promise<ErrorBody["error"] & { status: number }> {
  expect(response.headers.get("content-type")).toBe("application/json");
  expect(response.headers.get("x-request-id")).not.toBeNull();
  // Every error of these routes has this shape; a wrong one fails the comparison.
  const { error } = (await response.json()) as ErrorBody;
  return { status: response.status, ...error };
}

const image = (url: string) => [{ role: "user", content: [{ type: "image_url", image_url: { url } }] }];

describe("a call that cannot be served", () => {
  let daemon: TestDaemon;
  beforeAll(async () => {
    daemon = await TestDaemon.start({ settings: { roles: "coordinator,miner" } });
    await poll(
      () => openAiClient(daemon).models.list(),
      ({ data }) => data.length > 0,
    );
  });
  afterAll(() => daemon[Symbol.asyncDispose]());

  const chat = (rest: object) =>
    post(daemon, "/chat/completions", { model: MODEL, messages: MESSAGES, ...rest });

  it.each([
    ["messages", { messages: undefined }, "Missing required parameter: 'messages'."],
    ["messages", { messages: [] }, "Invalid value for 'messages': "],
    ["surprise", { surprise: 1 }, "Unrecognized request argument supplied: surprise"],
    [
      "messages[0].surprise",
      { messages: [{ role: "user", content: "x", surprise: 1 }] },
      "Unrecognized request",
    ],
    ["messages[0].role", { messages: [{ role: "function", content: "x" }] }, "role system, developer, user"],
    [
      "messages[0].tool_call_id",
      { messages: [{ role: "tool", content: "x" }] },
      "Missing required parameter",
    ],
    ["messages[0].function_call", { messages: [{ role: "assistant", function_call: {} }] }, "use tool_calls"],
    [
      "messages[0].content[0].type",
      { messages: [{ role: "user", content: [{ type: "input_audio" }] }] },
      "kind",
    ],
    [
      "messages[0].content[0].image_url.url",
      { messages: image("http://x.test/y.png") },
      "fetches no addresses",
    ],
    ["messages[0].content[0].image_url.url", { messages: image("data:image/png;base64,AAAA") }, "is no PNG"],
    [
      "messages[0].content[0].image_url.url",
      { messages: image("data:image/png;base64,A*==") },
      "is no base64",
    ],
    [
      "messages[0].content[0].image_url.url",
      { messages: image(`data:image/gif;base64,${Buffer.from(PNG, "hex").toString("base64")}`) },
      "says image/gif and is image/png",
    ],
    ["temperature", { temperature: 2.1 }, "Invalid value for 'temperature'"],
    ["n", { n: 0 }, "Invalid value for 'n'"],
    ["top_logprobs", { top_logprobs: 2 }, "goes with logprobs"],
    ["stream_options", { stream_options: { include_usage: true } }, "goes with stream"],
    ["logit_bias", { logit_bias: { 50256: -100 } }, "not supported"],
    ["functions", { functions: [{ name: "x" }] }, "use tools"],
    ["function_call", { function_call: "auto" }, "use tool_choice"],
    ["tool_choice", { tool_choice: "required" }, "needs tools"],
    ["parallel_tool_calls", { parallel_tool_calls: false }, "cannot be turned off"],
    ["store", { store: true }, "not supported"],
    ["audio", { audio: { voice: "x" } }, "not supported"],
    ["modalities[0]", { modalities: ["audio"] }, "must be text"],
    ["prediction", { prediction: {} }, "not supported"],
    ["web_search_options", { web_search_options: {} }, "not supported"],
    ["verbosity", { verbosity: "low" }, "not supported"],
    [
      "response_format.type",
      { response_format: { type: "xml" } },
      "must be text, json_object or json_schema",
    ],
    [
      "stream_options.include_obfuscation",
      { stream: true, stream_options: { include_obfuscation: true } },
      "not supported",
    ],
    ["tools[0].type", { tools: [{ type: "web_search" }] }, "must be function"],
  ])("is refused by the name of its member: %s %j", async (param, change, message) => {
    const error = await refusal(await chat(change));
    expect(error).toMatchObject({ status: 400, type: "invalid_request_error", param });
    expect(error.message).toContain(message);
  });

  it.each([
    ["/completions", "suffix", { prompt: "x", suffix: "y" }],
    ["/completions", "best_of", { prompt: "x", best_of: 2 }],
    ["/completions", "prompt", { prompt: ["x", "y"] }],
    ["/completions", "prompt", { prompt: [1, 2] }],
    ["/completions", "logprobs", { prompt: "x", echo: true, logprobs: 1 }],
    ["/embeddings", "input[0]", { input: [1, 2, 3] }],
    ["/embeddings", "input[0]", { input: [[1, 2], [3]] }],
    ["/embeddings", "input", { input: "" }],
    ["/embeddings", "encoding_format", { input: "x", encoding_format: "int8" }],
  ])("to %s is refused by the name of its member: %s", async (path, param, body) => {
    const error = await refusal(await post(daemon, path, { model: MODEL, ...body }));
    expect(error).toMatchObject({ status: 400, type: "invalid_request_error", param });
  });

  it.each([
    ["user", { user: "u" }],
    ["metadata", { metadata: { a: "b" } }],
    ["store", { store: false }],
    ["service_tier", { service_tier: "flex" }],
    ["nulls", { stop: null, tools: null, seed: null, temperature: null, response_format: null }],
    [
      "nothing asked for",
      { logit_bias: {}, tools: [], presence_penalty: 0, top_p: 1, parallel_tool_calls: true },
    ],
    ["message names", { messages: [{ role: "user", content: "Hello", name: "Ann" }] }],
  ])("is another: what changes nothing is taken (%s)", async (_what, change) => {
    expect((await chat({ ...change, max_tokens: 2 })).status).toBe(200);
  });

  it("asks for what the model lacks: member, model and engine are named at once, and nothing is queued", async () => {
    const { n: before } = daemon.query<{ n: number }>("select count(*) as n from coordinator_job")[0] ?? {
      n: -1,
    };
    const tools = [{ type: "function", function: { name: "x" } }];
    const error = await refusal(await chat({ tools }));
    expect(error).toMatchObject({ status: 400, param: "tools", code: "unsupported_parameter" });
    expect(error.message).toContain(MODEL);
    expect(error.message).toContain("builtin");
    const png = Buffer.from(PNG, "hex").toString("base64");
    const seen = await refusal(await chat({ messages: image(`data:image/png;base64,${png}`) }));
    expect(seen).toMatchObject({ status: 400, param: "messages" });
    expect(seen.message).toContain("images");
    expect(daemon.query("select count(*) as n from coordinator_job")).toEqual([{ n: before }]);
    expect(daemon.query("select count(*) as n from coordinator_artifact")).toEqual([{ n: 0 }]);
  });

  it("names a model that nobody ever offered", async () => {
    const call = openAiClient(daemon).chat.completions.create({ model: "no/such:model", messages: MESSAGES });
    const error = await call.catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(OpenAI.NotFoundError);
    expect(error).toMatchObject({ code: "model_not_found", param: "model", type: "invalid_request_error" });
  });

  it("shows no key, or one that may not", async () => {
    const ask = { model: MODEL, messages: MESSAGES };
    const wrong = openAiClient(daemon, { apiKey: "sk-wrong" }).chat.completions.create(ask);
    const error = await wrong.catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(OpenAI.AuthenticationError);
    expect(error).toMatchObject({ code: "invalid_api_key", type: "authentication_error" });
    const miner = openAiClient(daemon, { apiKey: daemon.keys.miner }).chat.completions.create(ask);
    await expect(miner).rejects.toThrow(OpenAI.PermissionDeniedError);
  });

  it("is no JSON, is JSON of another type, or comes by another method", async () => {
    const broken = await refusal(await post(daemon, "/chat/completions", '{"model": '));
    expect(broken).toMatchObject({ status: 400, type: "invalid_request_error", code: "malformed_json" });
    const form = await post(daemon, "/chat/completions", "a=b", { "content-type": "text/plain" });
    expect(await refusal(form)).toMatchObject({ status: 415, code: "unsupported_media_type" });
    const headers = { authorization: `Bearer ${daemon.keys.client}` };
    const get = await fetch(`${daemon.url}/v1/chat/completions`, { headers });
    expect(get.headers.get("allow")).toBe("POST");
    expect(await refusal(get)).toMatchObject({ status: 405, code: "method_not_allowed" });
  });

  it("is too large: 20 MiB with its images, 1 MiB without, and elsewhere", async () => {
    const large = await post(daemon, "/chat/completions", `"${"x".repeat(20 * MIB)}"`);
    expect(await refusal(large)).toMatchObject({ status: 413, code: "payload_too_large" });
    const text = await chat({ messages: [{ role: "user", content: "x".repeat(2 * MIB) }] });
    expect(await refusal(text)).toMatchObject({ status: 413, code: "payload_too_large" });
    const job = await post(daemon, "/jobs", { payload: { type: "inference", prompt: "x".repeat(2 * MIB) } });
    expect(job.status).toBe(413);
    expect(job.headers.get("content-type")).toBe("application/problem+json");
  });
});

describe("a call that meets a limit", () => {
  it("of the caller's rate is repeated by the client when the answer says so", async () => {
    const settings = { "http.rate_limit_per_second": "1", "http.rate_limit_burst": "1" };
    const daemon = await bootDaemon({ settings });
    await openAiClient(daemon).models.list();
    const refused = await openAiClient(daemon)
      .models.list()
      .catch((thrown: unknown) => thrown);
    expect(refused).toBeInstanceOf(OpenAI.RateLimitError);
    expect(refused).toMatchObject({ code: "rate_limit_exceeded", type: "rate_limit_error" });
    const { data } = await openAiClient(daemon, { maxRetries: 3 }).models.list();
    expect(data).toEqual([]);
  });

  it("of its own time is refused at once, with the numbers, when the wait will be longer", async () => {
    const daemon = await bootDaemon();
    const engine = await joinPlanned(daemon, {}, 1);
    const ask = { model: PLANNED_MODEL, messages: MESSAGES };
    const openai = openAiClient(daemon);
    const first = openai.chat.completions.create(ask);
    const ran = await engine.nth(0);
    await ran.write("x");
    ran.end();
    await first;
    const busy = openai.chat.completions.create(ask);
    const run = await engine.nth(1);
    const waiting = openai.chat.completions.create(ask);
    const late = openai.chat.completions.create(ask, { headers: { "x-aitbc-deadline-ms": "1" } });
    const error = await late.catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(OpenAI.RateLimitError);
    if (!(error instanceof OpenAI.APIError)) throw error;
    expect(error).toMatchObject({ code: "deadline_unreachable", type: "rate_limit_error" });
    expect(error.message).toContain("position");
    expect(Number(error.headers?.get("retry-after"))).toBeGreaterThan(0);
    const byOllama = await fetch(`${daemon.url}/api/chat`, {
      method: "POST",
      headers: {
        authorization: `Bearer ${daemon.keys.client}`,
        "content-type": "application/json",
        "x-aitbc-deadline-ms": "1",
      },
      body: JSON.stringify(ask),
    });
    expect(byOllama.status).toBe(429);
    expect(Number(byOllama.headers.get("retry-after"))).toBeGreaterThan(0);
    expect(await byOllama.json()).toEqual({ error: expect.stringContaining("position") });
    run.end();
    (await engine.nth(2)).end();
    await Promise.all([busy, waiting]);
  });

  it("of the queue leaves no job behind", async () => {
    const daemon = await bootDaemon({ settings: { "coordinator.max_streams": "1" } });
    const engine = await joinPlanned(daemon);
    const openai = openAiClient(daemon);
    const ask = { model: PLANNED_MODEL, messages: MESSAGES };
    const first = openai.chat.completions.create(ask);
    const run = await engine.nth(0);
    const error = await openai.chat.completions.create(ask).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(OpenAI.RateLimitError);
    run.end();
    await first;
    const states = daemon.query<{ state: string }>("select state from coordinator_job order by job_id");
    expect(states.map(({ state }) => state)).toEqual(["COMPLETED", "CANCELED"]);
  });
});

describe("a model that a miner once offered", () => {
  it("is found by its name and waited for, also after a restart", async () => {
    const daemon = await bootDaemon();
    const engine = await joinPlanned(daemon);
    await engine.leave();
    const next = await daemon.restart();
    const openai = openAiClient(next);
    expect((await openai.models.list()).data).toEqual([]);
    expect(await openai.models.retrieve(PLANNED_MODEL)).toMatchObject({
      id: PLANNED_MODEL,
      aitbc: { miners: 0 },
    });
    const answer = openai.chat.completions.create({ model: PLANNED_MODEL, messages: MESSAGES });
    const back = await joinPlanned(next);
    const run = await back.nth(0);
    await run.write("here");
    run.end();
    expect((await answer).choices[0]?.message.content).toBe("here");
  });
});

describe("a job that fails", () => {
  it("is the client's error, names the job, and is not tried again by the client", async () => {
    const daemon = await bootDaemon();
    const engine = await joinPlanned(daemon);
    const openai = openAiClient(daemon, { maxRetries: 2 });
    const call = openai.chat.completions.create({ model: PLANNED_MODEL, messages: MESSAGES, n: 2 });
    const run = await engine.nth(0);
    await run.write("half");
    run.fail(new AppError("ENGINE_FAILED", "the engine broke"));
    const error = await call.catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(OpenAI.InternalServerError);
    if (!(error instanceof OpenAI.APIError)) throw error;
    expect(error).toMatchObject({ status: 500, code: "job_failed", type: "server_error" });
    expect(error.message).toContain("NOT_CONTINUABLE");
    const jobId = error.headers?.get("x-aitbc-job-id") ?? "";
    const { result } = await daemon.client.getResult(jobId);
    expect(result).toMatchObject({ partial: true, text: "half" });
    expect(daemon.query("select job_id from coordinator_job")).toHaveLength(1);
  });

  it("for what its engine cannot do is the request's fault", async () => {
    const daemon = await bootDaemon();
    const engine = await joinPlanned(daemon);
    const call = openAiClient(daemon).chat.completions.create({ model: PLANNED_MODEL, messages: MESSAGES });
    const run = await engine.nth(0);
    run.fail(new AppError("UNSUPPORTED_FEATURE", "min_p is not known to this engine"));
    const error = await call.catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(OpenAI.BadRequestError);
    expect(error).toMatchObject({ code: "unsupported_parameter" });
  });
});
