import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { JobInput } from "../../src/client/client.ts";
import { sha256Hex } from "../../src/crypto/hash.ts";
import type { InferencePayload } from "../../src/wire/jobs.ts";
import { bootDaemon, TestDaemon } from "../harness/daemon.ts";
import { readStream, readUntil, waitForState } from "../harness/events.ts";
import { expectSound, job, receiptsOf } from "../harness/jobs.ts";
import { joinPlanned, PLANNED_MODEL, plannedVector, untilOffered } from "../harness/planned-miner.ts";

/*
 * One aitbc's engines on another aitbc: a daemon with the built-in model serves OpenAI's and Ollama's API, and the
 * miner of a second daemon runs on it. Both keep jobs and receipts of their own.
 */

const MODEL = "aitbc-tiny";
const QUESTION = "What is 37 + 45?";
const PNG = Buffer.concat([Buffer.from("89504e470d0a1a0a", "hex"), Buffer.from("not much of a picture")]);
const STORY = "Tell me a story about a fox";

let upstream: TestDaemon;
beforeAll(async () => {
  upstream = await TestDaemon.start({ settings: { roles: "coordinator,miner", "miner.engine": "builtin" } });
  // Once a job has run, the miner of this process is known with its model.
  await upstream.client.waitForJob((await upstream.client.submitJob(job(QUESTION))).job_id);
});
afterAll(async () => {
  await upstream[Symbol.asyncDispose]();
});

/** A daemon whose miner runs on the upstream one. */
function bootOn(
  engine: "openai" | "ollama",
  settings: Readonly<Record<string, string>> = {},
  far = upstream,
): Promise<TestDaemon> {
  const file = join(far.dataDir, `${engine}.key`);
  writeFileSync(file, far.keys.client, { mode: 0o600 });
  return bootDaemon({
    settings: {
      roles: "coordinator,miner",
      "miner.engine": engine,
      [`miner.engines.${engine}.url`]: far.url,
      [`miner.engines.${engine}.api_key_file`]: file,
      ...settings,
    },
  });
}

const ask = (payload: Partial<InferencePayload>): JobInput => ({
  payload: { type: "inference", model: MODEL, temperature: 0, ...payload },
});

/** The answer of a job, with its receipts checked. */
async function run(daemon: TestDaemon, input: JobInput, prompt: string): Promise<string> {
  const { job_id } = await daemon.client.submitJob(input);
  const { text, end } = await readStream(daemon.client, job_id);
  expect(end).toMatchObject({ state: "COMPLETED" });
  expectSound(await receiptsOf(daemon.client, job_id), text, prompt);
  return text;
}

/** The newest job of a daemon. */
async function newest(daemon: TestDaemon): Promise<string> {
  const { items } = await daemon.client.listJobs({ limit: 1 });
  return items[0]?.job_id ?? "";
}

describe.each(["openai", "ollama"] as const)("the %s engine on another aitbc", (engine) => {
  it("answers as that one does, with sound receipts on both", async () => {
    const here = await bootOn(engine);
    const direct = await run(upstream, ask({ prompt: QUESTION }), QUESTION);
    expect(direct).toContain("82");
    expect(await run(here, ask({ prompt: QUESTION }), QUESTION)).toBe(direct);
    const there = await newest(upstream);
    const { text } = (await upstream.client.getResult(there)).result;
    expect(text).toBe(direct);
    expectSound(await receiptsOf(upstream.client, there), text, QUESTION);
  });

  it("continues raw text, and a conversation whose answer has begun", async () => {
    const here = await bootOn(engine);
    const raw = { prompt: "Once upon", raw: true, max_tokens: 20 };
    expect(await run(here, ask(raw), "Once upon")).toBe(await run(upstream, ask(raw), "Once upon"));
    const whole = await run(upstream, ask({ prompt: STORY, max_tokens: 200 }), STORY);
    const begun = whole.slice(0, whole.indexOf(" ", whole.length / 2));
    const { job_id } = await here.client.submitJob(
      ask({
        max_tokens: 200,
        messages: [
          { role: "user", content: STORY },
          { role: "assistant", content: begun },
        ],
      }),
    );
    const { text } = await readStream(here.client, job_id);
    expect(begun + text).toBe(whole);
  });

  it("carries images, tools and vectors through both, and stops there what is canceled here", async () => {
    // What the built-in model cannot do: a planned engine stands behind the far daemon.
    const far = await bootDaemon();
    const planned = await joinPlanned(far);
    const here = await bootOn(engine, {}, far);
    await untilOffered(here, PLANNED_MODEL);
    const upload = await fetch(`${here.url}/v1/artifacts`, {
      method: "PUT",
      headers: { "x-api-key": here.keys.client, "content-type": "image/png" },
      body: PNG,
    });
    expect(upload.status).toBe(201);
    const image = { type: "image" as const, sha256: sha256Hex(PNG), media_type: "image/png" as const };
    const { job_id } = await here.client.submitJob({
      payload: {
        type: "inference",
        model: PLANNED_MODEL,
        messages: [{ role: "user", content: [{ type: "text", text: "What?" }, image] }],
        tools: [{ name: "now", parameters: { type: "object" } }],
        logprobs: 1,
      },
    });
    const { request, options, end } = await planned.nth(0);
    expect(request.messages).toEqual([
      {
        role: "user",
        content: "What?",
        images: [{ media_type: "image/png", data: PNG.toString("base64") }],
      },
    ]);
    expect(request.tools).toEqual([{ name: "now", parameters: { type: "object" } }]);
    await options.onChunk({ text: "Let me see", logprobs: [{ token: "Let me see", logprob: -1 }] });
    await options.onChunk({ tool_call: { index: 0, id: "c1", name: "now", arguments: '{"a":1}' } });
    end({ finish_reason: "tool_calls" });
    expect(await here.client.waitForJob(job_id)).toMatchObject({ state: "COMPLETED" });
    const [choice] = (await here.client.getResult(job_id)).result.choices ?? [];
    expect(choice).toMatchObject({
      text: "Let me see",
      tool_calls: [{ id: "c1", name: "now", arguments: '{"a":1}' }],
      logprobs: [{ token: "Let me see", logprob: -1 }],
      finish_reason: "tool_calls",
    });

    const vectors = await here.client.submitJob({
      payload: { type: "embedding", model: PLANNED_MODEL, input: ["a", "bc"] },
    });
    await here.client.waitForJob(vectors.job_id);
    const { embeddings } = (await here.client.getResult(vectors.job_id)).result;
    expect(
      embeddings?.map((text) => [...new Float32Array(Uint8Array.from(Buffer.from(text, "base64")).buffer)]),
    ).toEqual([plannedVector("a"), plannedVector("bc")]);

    const canceled = await here.client.submitJob({
      payload: { type: "inference", model: PLANNED_MODEL, prompt: "on and on" },
    });
    const run = await planned.nth(1);
    await here.client.cancelJob(canceled.job_id);
    await run.aborted;
  });
});

describe("a miner whose server cannot go on with an answer", () => {
  it("is given no job that another one has begun to answer; the job says so, and waits for one that can", async () => {
    const daemon = await bootDaemon({ settings: { "coordinator.reconnect_grace_seconds": "0" } });
    const first = await joinPlanned(daemon);
    const { job_id } = await daemon.client.submitJob({
      payload: { type: "inference", model: PLANNED_MODEL, prompt: "go" },
    });
    await (await first.nth(0)).write("half");
    await readUntil(daemon.client, job_id, (event) => event.event === "chunk");
    await first.leave();
    const unable = await joinPlanned(daemon, { continues: false });
    await waitForState(daemon.client, job_id, ({ state, attempt }) => state === "QUEUED" && attempt > 0);
    expect((await daemon.client.getJob(job_id)).queue?.reason).toContain(
      "cannot continue a text that has begun",
    );
    const able = await joinPlanned(daemon);
    const run = await able.nth(0);
    expect(run.request.prefix).toBe("half");
    run.end();
    await daemon.client.waitForJob(job_id);
    expect(unable.runs).toEqual([]);
  });
});
